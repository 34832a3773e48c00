/* Types of an object, one at a time; JavaScript follows the ids. */
#include "addon.h"
#include <bpf/btf.h>
#include <errno.h>

static const char *kind_name(const struct btf_type *type)
{
	switch (btf_kind(type)) {
	case BTF_KIND_INT:
		return "int";
	case BTF_KIND_STRUCT:
		return "struct";
	case BTF_KIND_UNION:
		return "union";
	case BTF_KIND_ARRAY:
		return "array";
	case BTF_KIND_PTR:
		return "pointer";
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return "enum";
	default:
		return "other";
	}
}

static napi_value fields_of(napi_env env, const struct btf *btf, const struct btf_type *type)
{
	const struct btf_member *member = btf_members(type);
	napi_value list, one;

	napi_create_array(env, &list);
	if (!btf_is_composite(type))
		return list;
	for (uint32_t at = 0; at < btf_vlen(type); at++, member++) {
		napi_create_object(env, &one);
		set_property(env, one, "name", make_text(env, btf__name_by_offset(btf, member->name_off)));
		set_property(env, one, "typeId", make_number(env, member->type));
		set_property(env, one, "bitOffset", make_number(env, btf_member_bit_offset(type, at)));
		set_property(env, one, "bitSize", make_number(env, btf_member_bitfield_size(type, at)));
		napi_set_element(env, list, at, one);
	}
	return list;
}

static napi_value describe(napi_env env, const struct btf *btf, int id)
{
	const struct btf_type *type;
	napi_value result;
	long long size;

	id = btf__resolve_type(btf, id); /* through typedef, const, volatile */
	type = id > 0 ? btf__type_by_id(btf, id) : NULL;
	if (!type)
		return throw_errno(env, ENOENT, "type", "The object has no such type.");
	size = btf__resolve_size(btf, id);
	napi_create_object(env, &result);
	set_property(env, result, "id", make_number(env, id));
	set_property(env, result, "kind", make_text(env, kind_name(type)));
	set_property(env, result, "name", make_text(env, btf__name_by_offset(btf, type->name_off)));
	set_property(env, result, "size", make_number(env, size < 0 ? 0 : size));
	set_property(env, result, "signed",
		     make_bool(env, btf_is_int(type) && (btf_int_encoding(type) & BTF_INT_SIGNED)));
	set_property(env, result, "elementId", make_number(env, btf_is_array(type) ? btf_array(type)->type : 0));
	set_property(env, result, "length", make_number(env, btf_is_array(type) ? btf_array(type)->nelems : 0));
	set_property(env, result, "fields", fields_of(env, btf, type));
	return result;
}

static const struct btf *btf_arg(napi_env env, napi_value value)
{
	struct bpf_object *object;
	const struct btf *btf;

	log_begin();
	object = handle_get(env, value, HANDLE_OBJECT, "type");
	if (!object)
		return NULL;
	btf = bpf_object__btf(object);
	if (!btf)
		throw_errno(env, ENOENT, "type", "The object has no BTF.");
	return btf;
}

static napi_value object_btf_by_name(napi_env env, napi_callback_info info)
{
	char name[NAME_BYTES];
	const struct btf *btf;
	napi_value argv[2];
	int id;

	if (!read_args(env, info, 2, argv) || !(btf = btf_arg(env, argv[0])) ||
	    !read_text(env, argv[1], name, sizeof(name)))
		return NULL;
	id = btf__find_by_name(btf, name);
	if (id < 0)
		return throw_errno(env, ENOENT, "type", "The object has no type %s.", name);
	return describe(env, btf, id);
}

static napi_value object_btf_by_id(napi_env env, napi_callback_info info)
{
	const struct btf *btf;
	napi_value argv[2];
	uint32_t id;

	if (!read_args(env, info, 2, argv) || !(btf = btf_arg(env, argv[0])) || !read_u32(env, argv[1], &id))
		return NULL;
	return describe(env, btf, id);
}

const struct function btf_functions[] = {
	{ "objectBtfByName", object_btf_by_name },
	{ "objectBtfById", object_btf_by_id },
	{ NULL, NULL },
};
