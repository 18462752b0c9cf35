// The other side: @cloud-copilot/iam-simulate, asked below its checks of input (which refuse keys and resources that its
// catalogue does not know) and above everything that decides.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const packages = process.env.POLICY_AGREEMENT_MODULES
if (!packages) throw new Error('POLICY_AGREEMENT_MODULES names no folder: start this with tests/policy-agreement/run')
const load = (file) => import(pathToFileURL(join(packages, '@cloud-copilot', file)))
const simulate = 'iam-simulate/dist/esm'
const { authorize } = await load(`${simulate}/core_engine/CoreSimulatorEngine.js`)
const { AwsRequestImpl } = await load(`${simulate}/request/request.js`)
const { RequestContextImpl } = await load(`${simulate}/requestContext.js`)
const { DiscoveryContextKeyConstraints } = await load(`${simulate}/context_keys/discoveryContextKeyConstraints.js`)
const { loadPolicy } = await load('iam-policy/dist/esm/index.js')

export const version = JSON.parse(readFileSync(join(packages, '@cloud-copilot/iam-simulate/package.json'), 'utf8')).version

const policy = (document, name) => loadPolicy(document, { name })
const levels = (levels) =>
  levels.map((policies, level) => ({
    orgIdentifier: `level-${level}`,
    policies: policies.map((document, index) => policy(document, `${level}-${index}`))
  }))

// `Allowed`, `ExplicitlyDenied` or `ImplicitlyDenied`.
export function evaluate(asked) {
  const resource = { resource: asked.resource, accountId: asked.resource_account }
  const context = new RequestContextImpl(asked.context)
  return authorize({
    request: new AwsRequestImpl(asked.principal, resource, asked.action, context, asked.resource === '*'),
    sessionPolicy: asked.session ? policy(asked.session, 'session') : undefined,
    identityPolicies: asked.identity.map((document, index) => policy(document, `identity-${index}`)),
    serviceControlPolicies: levels(asked.scps),
    resourceControlPolicies: levels(asked.rcps),
    resourcePolicy: asked.resource_policy ? policy(asked.resource_policy, 'resource') : undefined,
    permissionBoundaries: asked.boundary ? [policy(asked.boundary, 'boundary')] : undefined,
    vpcEndpointPolicies: undefined,
    simulationParameters: {
      simulationMode: 'Strict',
      discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([])
    },
    serviceSettings: { s3: { blockPublicAccess: undefined } }
  }).result
}
