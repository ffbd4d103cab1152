/**
 * Whether a name means the global, or something that the file itself declares around it.
 *
 * Scopes are followed outwards as the language does, as far as declarations that are written in
 * the file can shadow a global: parameters, variables, functions, classes, imports and `catch`.
 * What is only declared to exist (`declare const …`) is the global itself.
 */
import ts from "typescript"

export function isShadowed(name: ts.Identifier): boolean {
  for (let scope: ts.Node | undefined = name.parent; scope !== undefined; scope = scope.parent) {
    if (declaresIn(scope, name.text)) return true
  }
  return false
}

/** What the scope that this node opens declares directly. */
function declaresIn(scope: ts.Node, name: string): boolean {
  if (ts.isFunctionLike(scope)) {
    return scope.parameters.some((parameter) => binds(parameter.name, name))
  }
  if (ts.isCatchClause(scope)) return binds(scope.variableDeclaration?.name, name)
  if (ts.isForStatement(scope) || ts.isForOfStatement(scope) || ts.isForInStatement(scope)) {
    const { initializer } = scope
    if (initializer === undefined || !ts.isVariableDeclarationList(initializer)) return false
    return initializer.declarations.some((declaration) => binds(declaration.name, name))
  }
  const hasStatements =
    ts.isBlock(scope) || ts.isSourceFile(scope) || ts.isModuleBlock(scope) || isClause(scope)
  return hasStatements && scope.statements.some((statement) => declares(statement, name))
}

function isClause(node: ts.Node): node is ts.CaseOrDefaultClause {
  return ts.isCaseClause(node) || ts.isDefaultClause(node)
}

function declares(statement: ts.Statement, name: string): boolean {
  if (ts.isImportDeclaration(statement)) return imports(statement, name)
  const isAmbient =
    ts.canHaveModifiers(statement) &&
    ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword) === true
  if (isAmbient) return false
  if (ts.isVariableStatement(statement)) {
    const { declarations } = statement.declarationList
    return declarations.some((declaration) => binds(declaration.name, name))
  }
  const isNamed = ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)
  return isNamed && statement.name?.text === name
}

function imports({ importClause }: ts.ImportDeclaration, name: string): boolean {
  if (importClause?.name?.text === name) return true
  const bindings = importClause?.namedBindings
  if (bindings === undefined) return false
  if (ts.isNamespaceImport(bindings)) return bindings.name.text === name
  return bindings.elements.some((element) => element.name.text === name)
}

function binds(pattern: ts.BindingName | undefined, name: string): boolean {
  if (pattern === undefined) return false
  if (ts.isIdentifier(pattern)) return pattern.text === name
  return pattern.elements.some(
    (element) => ts.isBindingElement(element) && binds(element.name, name),
  )
}
