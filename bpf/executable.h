/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KUBESENTRY_EXECUTABLE_H
#define KUBESENTRY_EXECUTABLE_H

/* Which file a process runs: inode, device, and three signs that it did not come with the image. */
#include "event.h"
#include "kernel.h"

static __always_inline bool is_memfd(struct dentry *dentry)
{
	/* memfd_create(2) names its file memfd:NAME, below no directory. */
	const char prefix[6] = "memfd:";
	char name[6] = {};

	if (BPF_CORE_READ(dentry, d_parent) != dentry)
		return false;
	bpf_probe_read_kernel(name, sizeof(name), BPF_CORE_READ(dentry, d_name.name));
	for (int at = 0; at < (int)sizeof(name); at++) {
		if (name[at] != prefix[at])
			return false;
	}
	return true;
}

/*
 * Overlayfs embeds its inode in struct ovl_inode { ...; struct inode vfs_inode; struct dentry *__upperdentry; ... }:
 * the word behind the inode is set when the file is in the writable layer (fs/overlayfs/ovl_entry.h, 4.13 to 6.18).
 */
static __always_inline bool is_in_upper_layer(struct inode *inode)
{
	void *upper = NULL;

	if (BPF_CORE_READ(inode, i_sb, s_magic) != OVERLAYFS_SUPER_MAGIC)
		return false;
	bpf_probe_read_kernel(&upper, sizeof(upper), (char *)inode + bpf_core_type_size(struct inode));
	return upper != NULL;
}

/* The highest bit of the nanoseconds says that somebody asked for them (I_CTIME_QUERIED, include/linux/fs.h, 6.13). */
#define NANOSECONDS 0x7fffffffu

/* When its content or its attributes were changed last, nanoseconds since 1970. */
static __always_inline __u64 changed_at(struct inode *inode)
{
	struct inode___before_6_11 *earlier = (void *)inode;
	struct inode___before_6_6 *earliest = (void *)inode;

	if (bpf_core_field_exists(inode->i_ctime_sec))
		return BPF_CORE_READ(inode, i_ctime_sec) * 1000000000ull + (BPF_CORE_READ(inode, i_ctime_nsec) & NANOSECONDS);
	if (bpf_core_field_exists(earlier->__i_ctime))
		return BPF_CORE_READ(earlier, __i_ctime.tv_sec) * 1000000000ull + BPF_CORE_READ(earlier, __i_ctime.tv_nsec);
	return BPF_CORE_READ(earliest, i_ctime.tv_sec) * 1000000000ull + BPF_CORE_READ(earliest, i_ctime.tv_nsec);
}

static __always_inline __u32 describe_executable(struct file *file, __u64 *number, __u32 *dev)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	__u32 flags = 0;

	*number = BPF_CORE_READ(inode, i_ino);
	*dev = BPF_CORE_READ(inode, i_sb, s_dev);
	if (is_memfd(BPF_CORE_READ(file, f_path.dentry)))
		flags |= EXEC_MEMFD;
	else if (inode && BPF_CORE_READ(inode, i_nlink) == 0)
		flags |= EXEC_DELETED;
	if (is_in_upper_layer(inode))
		flags |= EXEC_UPPER_LAYER;
	return flags;
}

#endif
