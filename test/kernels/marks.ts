/** What a guest's lines begin with that are for us; the rest is the console. */
export const ABILITY = '@@ability ';
export const NO_BTF = '@@no-btf ';
