// A tree drawn line by line, for people.
import { print } from './print.ts'
import type { Tree } from './tree.ts'

export function printTree(tree: Tree): string {
  return `${lines(tree).join('\n')}\n`
}

function lines(tree: Tree): string[] {
  switch (tree.kind) {
    case 'not':
      return ['NOT', ...branch(tree.operand, true)]
    case 'and':
    case 'or':
      return [
        tree.kind.toUpperCase(),
        ...tree.operands.flatMap((operand, index) =>
          branch(operand, index === tree.operands.length - 1),
        ),
      ]
    case 'in':
    case 'notIn':
      return [`(${tree.label} ${tree.kind === 'in' ? 'in' : 'not in'} {${tree.values.join(',')}})`]
    case 'all':
    case 'global':
    case 'has':
      return [print(tree)]
    default:
      return [`(${print(tree)})`]
  }
}

function branch(tree: Tree, isLast: boolean): string[] {
  const [first = '', ...rest] = lines(tree)
  return [`+-${first}`, ...rest.map(line => `${isLast ? '  ' : '| '}${line}`)]
}
