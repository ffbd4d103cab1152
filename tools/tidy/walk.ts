/**
 * Small helpers over TypeScript's syntax tree that several rules share.
 */
import ts from "typescript"

/** Visits every node under `root`, parents first. */
export function walk(root: ts.Node, visit: (node: ts.Node) => void): void {
  visit(root)
  ts.forEachChild(root, (child) => walk(child, visit))
}

/** A string literal or template as text; `…` stands for what is computed. */
export function literalText(node: ts.Node | undefined): string | undefined {
  if (node === undefined) return undefined
  if (ts.isStringLiteralLike(node)) return node.text
  if (!ts.isTemplateExpression(node)) return undefined
  return [node.head, ...node.templateSpans.map(({ literal }) => literal)]
    .map(({ text }) => text)
    .join("…")
}

/** Every module that a file names: imports, exports, `import()` and `require()`, types included. */
export function moduleNames(tree: ts.SourceFile): ts.StringLiteralLike[] {
  const names: ts.StringLiteralLike[] = []
  walk(tree, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      if (node.moduleSpecifier !== undefined && ts.isStringLiteralLike(node.moduleSpecifier)) {
        names.push(node.moduleSpecifier)
      }
    } else if (ts.isImportTypeNode(node)) {
      const literal = ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined
      if (literal !== undefined && ts.isStringLiteralLike(literal)) names.push(literal)
    } else if (ts.isCallExpression(node) && isLoading(node.expression)) {
      const name = node.arguments[0]
      if (name !== undefined && ts.isStringLiteralLike(name)) names.push(name)
    }
  })
  return names
}

function isLoading(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true
  return ts.isIdentifier(callee) && callee.text === "require"
}

/** A function with a body: declaration, method, constructor, accessor, arrow or expression. */
export function isFunctionNode(node: ts.Node): node is ts.FunctionLikeDeclaration {
  return ts.isFunctionLike(node) && "body" in node && node.body !== undefined
}
