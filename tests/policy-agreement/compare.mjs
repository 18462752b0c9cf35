// Reads cases with our verdicts from standard input, asks the other evaluator, and prints every disagreement.
import { createInterface } from 'node:readline'
import { evaluate, version } from './evaluator.mjs'
import { settlements } from './settlements.mjs'

const settled = new Map(settlements.map(({ name }) => [name, 0]))
const verdicts = { Allowed: 0, ExplicitlyDenied: 0, ImplicitlyDenied: 0 }
let cases = 0
let agreed = 0
let unexplained = 0

// Asks again after what AWS's text settles: after one settlement alone if that is enough, else after all that apply.
function settle(asked) {
  for (const { name, rewrite } of settlements) {
    const rewritten = structuredClone(asked)
    if (rewrite(rewritten) && evaluate(rewritten) === asked.verdict) return { names: [name], verdict: asked.verdict }
  }
  const rewritten = structuredClone(asked)
  const names = settlements.filter(({ rewrite }) => rewrite(rewritten)).map(({ name }) => name)
  return { names, verdict: names.length > 0 ? evaluate(rewritten) : undefined }
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line)
  cases += 1
  verdicts[asked.verdict] += 1
  const theirs = evaluate(asked)
  if (theirs === asked.verdict) {
    agreed += 1
    continue
  }
  const { names, verdict } = settle(asked)
  if (verdict === asked.verdict) {
    for (const name of names) settled.set(name, settled.get(name) + 1)
    continue
  }
  unexplained += 1
  if (unexplained <= 20) {
    console.log(`\ncase ${asked.case}: ours ${asked.verdict}, theirs ${theirs}, after ${names.length} settlements ${verdict ?? '-'}`)
    console.log(asked.why || 'allowed')
    if (names.length > 0) console.log(names.join('; '))
    console.log(JSON.stringify(asked, null, 1))
  }
}

console.log(`${cases} cases (ours: ${JSON.stringify(verdicts)}), iam-simulate ${version}`)
console.log(`${agreed} agree at once, ${cases - agreed - unexplained} are settled by AWS's text, ${unexplained} are not explained`)
for (const [name, count] of settled) console.log(`${String(count).padStart(6)}  ${name}`)
const least = Number(process.argv[2] ?? 0)
if (cases < least) {
  console.log(`only ${cases} of ${least} cases came`)
  process.exit(1)
}
process.exit(unexplained === 0 ? 0 : 1)
