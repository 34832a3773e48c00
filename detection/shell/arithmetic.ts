const LENGTH_LIMIT = 256;

/** Operators of two operands with how tightly they bind (bash manual, "Shell Arithmetic"). */
const BINARY = new Map<string, { level: number; of: (a: number, b: number) => number }>(
  Object.entries({
    '|': { level: 1, of: (a, b) => a | b },
    '^': { level: 2, of: (a, b) => a ^ b },
    '&': { level: 3, of: (a, b) => a & b },
    '<<': { level: 4, of: (a, b) => a << b },
    '>>': { level: 4, of: (a, b) => a >> b },
    '+': { level: 5, of: (a, b) => a + b },
    '-': { level: 5, of: (a, b) => a - b },
    '*': { level: 6, of: (a, b) => a * b },
    '/': { level: 6, of: (a, b) => Math.trunc(a / b) },
    '%': { level: 6, of: (a, b) => a % b },
  }),
);

/**
 * The value of what stands in `$((…))`: numbers, variables and operators of two operands. Undefined when it has
 * anything else in it, or a variable that is no number.
 */
export function calculate(expression: string, textOf: (name: string) => string): number | undefined {
  if (expression.length > LENGTH_LIMIT) return undefined;
  const tokens = expression.match(/0x[0-9a-f]+|\d+#\w+|\d+|\$?\{?[A-Za-z_]\w*\}?|<<|>>|[^\s]/gi) ?? [];
  let at = 0;
  const operand = (depth: number): number => {
    const token = tokens[at++] ?? '';
    if (depth > 32) return Number.NaN;
    if (token === '(') {
      const value = operation(1, depth + 1);
      return tokens[at++] === ')' ? value : Number.NaN;
    }
    if (token === '-') return -operand(depth + 1);
    const name = /^\$?\{?([A-Za-z_]\w*)\}?$/.exec(token)?.[1];
    return numberOf(name === undefined ? token : textOf(name));
  };
  const operation = (level: number, depth: number): number => {
    let value = operand(depth);
    for (;;) {
      const operator = BINARY.get(tokens[at] ?? '');
      if (!operator || operator.level < level) return value;
      at++;
      value = operator.of(value, operation(operator.level + 1, depth + 1));
    }
  };
  const value = operation(1, 0);
  return at === tokens.length && Number.isSafeInteger(value) ? value : undefined;
}

/** A number as the shell reads it: 0x1f, 017, 16#1f. */
function numberOf(text: string): number {
  const [, base, digits] = /^(\d{1,2})#(\w+)$/.exec(text) ?? [];
  if (base !== undefined && digits !== undefined) return Number.parseInt(digits, Number(base));
  if (/^0[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  return /^(?:0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
}
