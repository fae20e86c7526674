/** The mutants of a contract: small faults, each of which a test must notice. */
import {
  childOf,
  childrenOf,
  isNode,
  type Span,
  type SyntaxNode,
  scopeOf,
  spanOf,
  textOf,
  typeOf,
  walk,
} from "./syntax.ts";

export interface Mutant {
  /** Names the fault by what it changes, not by its line, so that it keeps its name when the file grows. */
  readonly key: string;
  readonly file: string;
  readonly line: number;
  readonly scope: string;
  readonly operator: string;
  readonly original: string;
  readonly mutated: string;
  /** The whole file with the fault. */
  readonly text: string;
}

/** One replacement, and the larger piece of code in which to show it. */
interface Fault {
  readonly operator: string;
  readonly at: Span;
  readonly replacement: string;
  readonly shown: Span;
}

interface Place {
  readonly node: SyntaxNode;
  readonly above: readonly SyntaxNode[];
  /** The source's text in a span. */
  text(span: Span): string;
}

/** An event that is not emitted: the Solidity tests, which see state only, cannot notice it. */
export const SILENCE = "silence";

const boundary: Record<string, string> = {
  "<": "<=",
  "<=": "<",
  ">": ">=",
  ">=": ">",
  "==": "!=",
  "!=": "==",
};
const logic: Record<string, string> = { "&&": "||", "||": "&&" };
const arithmetic: Record<string, string> = {
  "+": "-",
  "-": "+",
  "*": "/",
  "/": "*",
  "%": "*",
  "<<": ">>",
  ">>": "<<",
  "+=": "-=",
  "-=": "+=",
  "*=": "/=",
  "/=": "*=",
  "++": "--",
  "--": "++",
};
const extremes: Record<string, string> = { min: "max", max: "min" };

/** Replaces the operator in the gap between two operands. */
function inGap(
  { text, node }: Place,
  left: Span,
  right: Span,
  from: string,
  to: string,
  operator: string,
): Fault {
  const at = { start: left.end, end: right.start };
  return { operator, at, replacement: text(at).replace(from, to), shown: spanOf(node) };
}

function* ofBinary(place: Place): Generator<Fault> {
  const { node } = place;
  const left = childOf(node, "leftExpression") ?? childOf(node, "leftHandSide");
  const right = childOf(node, "rightExpression") ?? childOf(node, "rightHandSide");
  if (left === undefined || right === undefined) return;
  const from = textOf(node, "operator");
  for (const [operator, table] of Object.entries({ boundary, logic, arithmetic })) {
    const to = table[from];
    if (to !== undefined) yield inGap(place, spanOf(left), spanOf(right), from, to, operator);
  }
}

function* ofUnary({ node, text }: Place): Generator<Fault> {
  const span = spanOf(node);
  const from = textOf(node, "operator");
  const to = arithmetic[from];
  if (to !== undefined && from.length === 2) {
    yield { operator: "arithmetic", at: span, replacement: text(span).replace(from, to), shown: span };
  }
}

function* ofLiteral({ node, above, text }: Place): Generator<Fault> {
  const parent = above[0];
  if (textOf(node, "kind") !== "number" || !/^[\d_]+$/.test(textOf(node, "value"))) return;
  if (parent === undefined || parent.nodeType === "ArrayTypeName") return;
  if (textOf(parent, "kind") === "typeConversion" && typeOf(parent) === "address") return;
  const span = spanOf(node);
  if (text(span) !== textOf(node, "value")) return;
  const replacement = String(BigInt(textOf(node, "value").replaceAll("_", "")) + 1n);
  yield { operator: "off by one", at: span, replacement, shown: spanOf(parent) };
}

function* ofCondition({ node, text }: Place): Generator<Fault> {
  const condition = childOf(node, "condition");
  // For `==` and `!=` the flip says the same.
  if (condition === undefined || /^[!=]=$/.test(textOf(condition, "operator"))) return;
  const at = spanOf(condition);
  yield { operator: "negation", at, replacement: `!(${text(at)})`, shown: at };
}

/** `if (...) revert ...;` as one statement. */
function isGuard(node: SyntaxNode): boolean {
  const body = childOf(node, "trueBody");
  if (node.nodeType !== "IfStatement" || body === undefined || node.falseBody) return false;
  const only = body.nodeType === "Block" ? childrenOf(body, "statements") : [body];
  return only.length === 1 && only[0]?.nodeType === "RevertStatement";
}

function* ofStatement({ node, text }: Place): Generator<Fault> {
  if (!/^(ExpressionStatement|EmitStatement)$/.test(node.nodeType) && !isGuard(node)) return;
  const shown = spanOf(node);
  // solc counts a semicolon neither to a statement nor to the `if` around it.
  const after = { start: shown.end, end: shown.end + 1 };
  const at = { start: shown.start, end: text(after) === ";" ? after.end : shown.end };
  const operator = node.nodeType === "EmitStatement" ? SILENCE : "deletion";
  yield { operator, at, replacement: "{}", shown };
}

function* ofModifier({ node, above }: Place): Generator<Fault> {
  if (textOf(node, "kind") !== "modifierInvocation") return;
  const at = spanOf(node);
  const body = above[0] && childOf(above[0], "body");
  const shown = { start: at.start, end: body ? spanOf(body).start : at.end };
  yield { operator: "modifier", at, replacement: "", shown };
}

function* ofCall({ node, above, text }: Place): Generator<Fault> {
  const callee = childOf(node, "expression");
  const shown = spanOf(node);
  const name = textOf(callee, "memberName");
  const other = extremes[name];
  if (callee && other !== undefined) {
    const end = spanOf(callee).end;
    yield { operator: "min and max", at: { start: end - name.length, end }, replacement: other, shown };
    return;
  }
  const isCode = /^(Emit|Revert)Statement$/.test(above[0]?.nodeType ?? "");
  if (isCode || /^abi\./.test(callee ? text(spanOf(callee)) : "")) return;
  if (!/^(functionCall|structConstructorCall)$/.test(textOf(node, "kind"))) return;
  const given = childrenOf(node, "arguments");
  for (let i = 0; i + 1 < given.length; i++) {
    const [left, right] = [given[i], given[i + 1]];
    if (!isNode(left) || !isNode(right) || typeOf(left) !== typeOf(right)) continue;
    const [a, b] = [spanOf(left), spanOf(right)];
    if (text(a) === text(b)) continue;
    const gap = text({ start: a.end, end: b.start });
    const at = { start: a.start, end: b.end };
    yield { operator: "swapped arguments", at, replacement: text(b) + gap + text(a), shown };
  }
}

const byType: Record<string, (place: Place) => Generator<Fault>> = {
  BinaryOperation: ofBinary,
  Assignment: ofBinary,
  UnaryOperation: ofUnary,
  Literal: ofLiteral,
  Conditional: ofCondition,
  WhileStatement: ofCondition,
  FunctionCall: ofCall,
  ModifierInvocation: ofModifier,
  ExpressionStatement: ofStatement,
  EmitStatement: ofStatement,
  *IfStatement(place) {
    yield* ofCondition(place);
    yield* ofStatement(place);
  },
};

const onOneLine = (code: string) => code.replace(/\s+/g, " ").trim();

/** Every mutant of a file outside the functions that are left out. */
export function mutantsOf(
  file: string,
  source: string,
  tree: unknown,
  leftOut: ReadonlySet<string>,
): Mutant[] {
  if (!isNode(tree)) throw new Error(`solc gave no syntax tree of ${file}`);
  const bytes = Buffer.from(source);
  const text = ({ start, end }: Span) => bytes.subarray(start, end).toString();
  const seen = new Map<string, number>();
  const mutants: Mutant[] = [];
  for (const { node, above } of walk(tree)) {
    const scope = scopeOf([node, ...above]);
    if (scope === undefined || leftOut.has(scope)) continue;
    for (const { operator, at, replacement, shown } of byType[node.nodeType]?.({ node, above, text }) ?? []) {
      const original = onOneLine(text(shown));
      const mutated = onOneLine(
        text({ start: shown.start, end: at.start }) +
          replacement +
          text({ start: at.end, end: Math.max(at.end, shown.end) }),
      );
      const name = `${file}:${scope}: ${operator}: ${original} -> ${mutated}`;
      const count = (seen.get(name) ?? 0) + 1;
      seen.set(name, count);
      mutants.push({
        key: count === 1 ? name : `${name} (${count})`,
        file,
        line: text({ start: 0, end: at.start }).split("\n").length,
        scope,
        operator,
        original,
        mutated,
        text: text({ start: 0, end: at.start }) + replacement + text({ start: at.end, end: bytes.length }),
      });
    }
  }
  return mutants;
}

/** The names of a file's functions, modifiers and variables. */
export function scopesOf(tree: unknown): ReadonlySet<string> {
  if (!isNode(tree)) return new Set();
  return new Set([...walk(tree)].flatMap(({ node }) => scopeOf([node]) ?? []));
}
