/** Reading solc's syntax tree, whose nodes differ in their fields by `nodeType`. */

export interface SyntaxNode {
  readonly nodeType: string;
  /** `start:length:file` in bytes. */
  readonly src: string;
  readonly [field: string]: unknown;
}

export interface Span {
  readonly start: number;
  readonly end: number;
}

export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && "nodeType" in value && "src" in value;
}

export function spanOf(node: SyntaxNode): Span {
  const [start = 0, length = 0] = node.src.split(":").map(Number);
  return { start, end: start + length };
}

export function childOf(node: SyntaxNode, field: string): SyntaxNode | undefined {
  const value = node[field];
  return isNode(value) ? value : undefined;
}

export function childrenOf(node: SyntaxNode, field: string): readonly SyntaxNode[] {
  const value = node[field];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

export function textOf(node: SyntaxNode | undefined, field: string): string {
  const value = node?.[field];
  return typeof value === "string" ? value : "";
}

/** The type that solc gave an expression, as it writes it. */
export function typeOf(node: SyntaxNode | undefined): string {
  const types = node?.typeDescriptions;
  if (typeof types !== "object" || types === null || !("typeString" in types)) return "";
  return String(types.typeString);
}

/** Every node below, each with the nodes above it, the nearest first. */
export function* walk(
  node: SyntaxNode,
  above: readonly SyntaxNode[] = [],
): Generator<{ readonly node: SyntaxNode; readonly above: readonly SyntaxNode[] }> {
  yield { node, above };
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) yield* walk(child, [node, ...above]);
    }
  }
}

/** The name of the function, or of the contract's variable, in which a node stands. */
export function scopeOf(above: readonly SyntaxNode[]): string | undefined {
  for (const node of above) {
    if (node.nodeType === "FunctionDefinition") return textOf(node, "name") || textOf(node, "kind");
    if (node.nodeType === "ModifierDefinition") return textOf(node, "name");
    if (node.nodeType === "VariableDeclaration" && node.stateVariable === true) return textOf(node, "name");
  }
  return undefined;
}
