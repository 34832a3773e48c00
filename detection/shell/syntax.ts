import type { Tree } from 'web-tree-sitter';

/** A syntax tree without its text: the same for all scripts of one shape. Positions are UTF-16 code units. */
export interface Shape {
  type: string;
  isNamed: boolean;
  start: number;
  end: number;
  /** What the node is to its parent, such as `body`. */
  field: string | null;
  children: readonly Shape[];
}

/** Copies a tree out of the memory of the parser. Without recursion: a script may nest as deep as it is long. */
export function shapeOf(tree: Tree): { shape: Shape; nodes: number } {
  const cursor = tree.walk();
  const read = (children: Shape[]): Shape => ({
    type: cursor.nodeType,
    isNamed: cursor.nodeIsNamed,
    start: cursor.startIndex,
    end: cursor.endIndex,
    field: cursor.currentFieldName,
    children,
  });
  const lists: Shape[][] = [[]];
  const shape = read(lists[0] as Shape[]);
  let nodes = 1;
  let more = cursor.gotoFirstChild();
  while (more) {
    const children: Shape[] = [];
    lists.at(-1)?.push(read(children));
    nodes++;
    if (cursor.gotoFirstChild()) {
      lists.push(children);
      continue;
    }
    while (!cursor.gotoNextSibling()) {
      cursor.gotoParent();
      lists.pop();
      if (lists.length === 0) {
        more = false;
        break;
      }
    }
  }
  cursor.delete();
  return { shape, nodes };
}

/** A node of a script's syntax tree. */
export class SyntaxNode {
  readonly #shape: Shape;
  readonly #script: string;
  #children: SyntaxNode[] | undefined;

  constructor(shape: Shape, script: string) {
    this.#shape = shape;
    this.#script = script;
  }

  get type(): string {
    return this.#shape.type;
  }

  /** False for punctuation and keywords. */
  get isNamed(): boolean {
    return this.#shape.isNamed;
  }

  get start(): number {
    return this.#shape.start;
  }

  get end(): number {
    return this.#shape.end;
  }

  get text(): string {
    return this.#script.slice(this.#shape.start, this.#shape.end);
  }

  get children(): readonly SyntaxNode[] {
    this.#children ??= this.#shape.children.map((child) => new SyntaxNode(child, this.#script));
    return this.#children;
  }

  get namedChildren(): readonly SyntaxNode[] {
    return this.children.filter(({ isNamed }) => isNamed);
  }

  /** The child in a field of the grammar. */
  child(field: string): SyntaxNode | undefined {
    return this.children[this.#shape.children.findIndex((child) => child.field === field)];
  }

  /** All children in a field of the grammar. */
  childrenIn(field: string): readonly SyntaxNode[] {
    return this.children.filter((child) => child.#shape.field === field);
  }
}
