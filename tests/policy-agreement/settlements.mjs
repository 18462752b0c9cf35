// Where both evaluators read a policy differently and AWS's text says who is right.
//
// A settlement rewrites a case into what AWS says that it means, in words that both read alike. It touches nothing but what
// its rule speaks of, and returns whether it found that. A disagreement is settled if the other evaluator, asked about
// the rewritten case, agrees; so a settlement can hide nothing else.

const guide = 'https://docs.aws.amazon.com/IAM/latest/UserGuide/'

// Helpers that walk a case.

function* statementsOf(asked) {
  const documents = (kind, ...documents) => documents.filter(Boolean).map((document) => ({ kind, document }))
  const all = [
    ...documents('identity', ...asked.identity),
    ...documents('resource', asked.resource_policy),
    ...documents('boundary', asked.boundary),
    ...documents('session', asked.session),
    ...documents('scp', ...asked.scps.flat()),
    ...documents('rcp', ...asked.rcps.flat())
  ]
  for (const { kind, document } of all) {
    for (const statement of [document.Statement].flat()) {
      yield { kind, document, statement }
    }
  }
}

function operator(name) {
  const [, set, base, ifExists] = /^(ForAllValues:|ForAnyValue:|)(.*?)(IfExists|)$/.exec(name)
  return { set, base, ifExists: ifExists !== '', negated: /Not/.test(base) }
}

function lookup(asked, key) {
  const name = Object.keys(asked.context).find((name) => name.toLowerCase() === key.toLowerCase())
  return name === undefined ? [] : [asked.context[name]].flat()
}

// Rewrites conditions one by one. `rule` gets the operator's parts, the key, the policy's values and the request's; it
// returns nothing to leave the condition, true or false for what it always is, or the name, key or values to write instead.
function conditions(asked, rule) {
  let found = false
  for (const { statement, document } of statementsOf(asked)) {
    const rewritten = []
    for (const [name, block] of Object.entries(statement.Condition ?? {})) {
      for (const [key, values] of Object.entries(block)) {
        const listed = [values].flat().map(String)
        const instead = rule(operator(name), listed, lookup(asked, key), { key, document })
        if (instead === undefined) {
          rewritten.push([name, key, values])
          continue
        }
        found = true
        if (typeof instead === 'boolean') {
          rewritten.push(['Null', `settled:${rewritten.length}`, String(instead)])
        } else {
          rewritten.push([instead.name ?? name, instead.key ?? key, instead.values ?? values])
        }
      }
    }
    if (statement.Condition) {
      statement.Condition = {}
      for (const [name, key, values] of rewritten) {
        const block = (statement.Condition[name] ??= {})
        if (key in block) throw new Error(`${name} has ${key} twice`)
        block[key] = values
      }
    }
  }
  return found
}

function resources(asked, rule) {
  let found = false
  for (const { kind, document, statement } of statementsOf(asked)) {
    for (const element of ['Resource', 'NotResource']) {
      if (!(element in statement)) continue
      statement[element] = [statement[element]].flat().map((value) => {
        const instead = rule(value, { kind, document, element })
        found ||= instead !== undefined
        return instead ?? value
      })
    }
  }
  return found
}

const isString = ({ base }) => base.startsWith('String')
const isArn = ({ base }) => base.startsWith('Arn')
const isNull = (actual) => actual.every((value) => value === '')
const VARIABLE = /\$\{([^}*?$][^},]*?)\s*(?:,\s*'([^']*)'\s*)?\}/g

// The value of a variable: none if the request has no single one.
function variable(asked, name, fallback) {
  const values = lookup(asked, name)
  return values.length === 1 && values[0] !== '' ? values[0] : fallback
}

function hasVariableWithoutValue(asked, text) {
  return [...text.matchAll(VARIABLE)].some(([, name, fallback]) => variable(asked, name, fallback) === undefined)
}

const escape = (text) => text.replace(/[*?$]/g, '${$&}')
const isArnText = (text) => /^arn:([^:]*:){4}/.test(text)
const isAddress = (text) => /^\d+(\.\d+){3}$|^[0-9a-fA-F:]*:[0-9a-fA-F:]*$/.test(text)
const NEVER = 'arn:aws:never:::settled'

export const settlements = [
  {
    name: 'the older version has no variables',
    source: `${guide}reference_policies_variables.html`,
    text: "If you don't include the Version element and set it to an appropriate version date, variables like ${aws:username} are treated as literal strings in the policy.",
    rewrite: (asked) => {
      const literal = (value, document) =>
        document.Version !== '2012-10-17' && value.includes('${') ? value.replaceAll('${', '${$}{') : undefined
      const inResources = resources(asked, (value, { document }) => literal(value, document))
      const inConditions = conditions(asked, (operator, values, _, { document }) => {
        if (!isString(operator) && !isArn(operator)) return undefined
        const written = values.map((value) => literal(value, document) ?? value)
        return written.some((value, index) => value !== values[index]) ? { values: written } : undefined
      })
      return inResources || inConditions
    }
  },
  {
    name: 'a variable without a value is equal to nothing, and a negated operator matches',
    source: `${guide}reference_policies_variables.html#policy-vars-no-value`,
    text: 'Inverted condition operators like StringNotEquals or StringNotLike do match against a null value, as the value of the condition key they are testing against is not equal to or like the effectively null value. […] the resource that includes a policy variable with no value will not match any resource.',
    rewrite: (asked) => {
      const inResources = resources(asked, (value) => (hasVariableWithoutValue(asked, value) ? NEVER : undefined))
      const inConditions = conditions(asked, (operator, values) => {
        if (!isString(operator) && !isArn(operator)) return undefined
        if (!values.some((value) => hasVariableWithoutValue(asked, value))) return undefined
        return { values: values.map((value) => (hasVariableWithoutValue(asked, value) ? NEVER : value)) }
      })
      return inResources || inConditions
    }
  },
  {
    name: 'ARN operators take variables',
    source: `${guide}reference_policies_variables.html#policy-vars-conditionelement`,
    text: 'You can use a policy variable for Condition values in any condition that involves the string operators or the ARN operators.',
    rewrite: (asked) =>
      conditions(asked, (operator, values) => {
        if (!isArn(operator) || !values.some((value) => value.match(VARIABLE))) return undefined
        if (values.some((value) => hasVariableWithoutValue(asked, value))) return undefined
        const fill = (_, name, fallback) => escape(variable(asked, name, fallback))
        return { values: values.map((value) => value.replace(VARIABLE, fill)) }
      })
  },
  {
    name: 'a resource may be named by a variable alone',
    source: `${guide}reference_policies_variables.html#policy-vars-resourceelement`,
    text: 'You can use a policy variable in the Resource element, but only in the resource portion of the ARN. This portion of the ARN appears after the fifth colon (:).',
    rewrite: (asked) =>
      resources(asked, (value) => {
        if (!/^arn:([^:]*:){4}\$\{[^}]*:/.test(value) || hasVariableWithoutValue(asked, value)) return undefined
        return value.replace(VARIABLE, (_, name, fallback) => escape(variable(asked, name, fallback)))
      })
  },
  {
    name: '${*}, ${?} and ${$} are characters in StringEquals too',
    source: `${guide}reference_policies_variables.html#policy-vars-specialchars`,
    text: 'These predefined policy variables can be used in any string where you can use regular policy variables.',
    rewrite: (asked) =>
      conditions(asked, (operator, values, actual, { document }) => {
        if (!/^String(Not)?Equals/.test(operator.base) || document.Version !== '2012-10-17') return undefined
        if (!values.some((value) => /\$\{[*?$]\}/.test(value)) || actual.length === 0) return undefined
        const fold = (text) => (operator.base.endsWith('IgnoreCase') ? text.toLowerCase() : text)
        const written = values.flatMap((value) => {
          if (hasVariableWithoutValue(asked, value)) return [NEVER]
          const filled = value.replace(VARIABLE, (_, name, fallback) => escape(variable(asked, name, fallback)))
          const text = filled.replace(/\$\{([*?$])\}/g, '$1')
          return [NEVER, ...actual.filter((value) => fold(value) === fold(text)).map(escape)]
        })
        const base = operator.negated ? 'StringNotLike' : 'StringLike'
        return { name: `${operator.set}${base}`, values: written }
      })
  },
  {
    name: 'a key that is missing makes IfExists true, with ForAnyValue too',
    source: `${guide}reference_policies_elements_condition_operators.html#Conditions_IfExists`,
    text: 'You can add IfExists to the end of any condition operator name except the Null condition […] If the key is not present, evaluate the condition element as true.',
    rewrite: (asked) =>
      conditions(asked, ({ set, ifExists }, _, actual) =>
        set === 'ForAnyValue:' && ifExists && actual.length === 0 ? true : undefined
      )
  },
  {
    name: 'an empty string is a null dataset to set operators and to Null',
    source: `${guide}reference_policies_condition-single-vs-multi-valued-context-keys.html`,
    text: 'The ForAllValues qualifier returns true if there are no context keys in the request or if the context key value resolves to a null dataset, such as an empty string. To prevent missing context keys or context keys with empty values from evaluating to true, you can include the Null condition operator in your policy with a false value to check if the context key exists and its value is not null.',
    rewrite: (asked) =>
      conditions(asked, ({ set, base }, values, actual) => {
        if (actual.length === 0 || !isNull(actual)) return undefined
        if (base === 'Null') return values.some((value) => value.toLowerCase() === 'true')
        return set === '' ? undefined : set === 'ForAllValues:'
      })
  },
  {
    name: 'a key of several values needs a set operator',
    source: `${guide}reference_policies_condition-single-vs-multi-valued-context-keys.html`,
    text: 'Multivalued context keys require a condition set operator.',
    // AWS does not say what happens without one. Ours takes ForAnyValue, and for a negated operator its negation,
    // so that a condition and its opposite never hold or fail together; lint refuses such a statement.
    rewrite: (asked) =>
      conditions(asked, ({ set, base, negated }, _, actual) =>
        set === '' && base !== 'Null' && actual.length > 1
          ? { name: `${negated ? 'ForAllValues' : 'ForAnyValue'}:${base}` }
          : undefined
      )
  },
  {
    name: 'a value of another type does not match, so that a negated operator does',
    source: `${guide}reference_policies_elements_condition_operators.html`,
    text: 'Numeric condition operators let you construct Condition elements that restrict access based on comparing a key to an integer or decimal value. […] NumericNotEquals: Negated matching. DateNotEquals: Negated matching. ArnNotEquals, ArnNotLike: Negated matching for ARN. NotIpAddress: All IP addresses except the specified IP address or range.',
    rewrite: (asked) =>
      conditions(asked, ({ base, negated }, _, actual) => {
        const wellFormed = [
          [/^Numeric/, (text) => /^[-+]?\d+(\.\d+)?$/.test(text)],
          [/^Date/, (text) => /^\d{4}(-|$)|^-?\d{5,}$/.test(text)],
          [/IpAddress$/, isAddress],
          [/^Arn/, isArnText]
        ].find(([type]) => type.test(base))?.[1]
        return wellFormed && actual.length > 0 && actual.every((value) => !wellFormed(value)) ? negated : undefined
      })
  },
  {
    name: 'dates are in seconds since 1970, or in a W3C form down to the year alone',
    source: `${guide}reference_policies_elements_condition_operators.html#Conditions_Date`,
    text: 'You must specify date/time values with one of the W3C implementations of the ISO 8601 date formats or in epoch (UNIX) time.',
    rewrite: (asked) => {
      const iso = (text) => {
        if (/^-?\d{5,}$/.test(text)) return new Date(Number(text) * 1000).toISOString()
        return /^\d{4}$/.test(text) ? `${text}-01-01T00:00:00Z` : text
      }
      return conditions(asked, ({ base }, values, actual, { key }) => {
        if (!base.startsWith('Date') || [...values, ...actual].every((value) => iso(value) === value)) return undefined
        if (actual.length === 0) return { values: values.map(iso) }
        // Under a name of its own: operators of other types may look at the same key.
        asked.context[`settled:${key}`] = actual.length === 1 ? iso(actual[0]) : actual.map(iso)
        return { key: `settled:${key}`, values: values.map(iso) }
      })
    }
  },
  {
    name: 'an address without a prefix is a range of one, and a range of no bits is all of its family',
    source: `${guide}reference_policies_elements_condition_operators.html#Conditions_IPAddress`,
    text: 'If you specify an IP address without the associated routing prefix, IAM uses the default prefix value of /32. […] NotIpAddress: All IP addresses except the specified IP address or range.',
    rewrite: (asked) =>
      conditions(asked, ({ base }, values) => {
        if (!base.endsWith('IpAddress')) return undefined
        const ranges = values.flatMap((value) => {
          if (value === '0.0.0.0/0') return ['0.0.0.0/1', '128.0.0.0/1']
          return value.includes('/') ? [value] : [`${value}/${value.includes(':') ? 128 : 32}`]
        })
        return ranges.join() === values.join() ? undefined : { values: ranges }
      })
  },
  {
    name: 'an ARN that is cut short is completed',
    source: `${guide}reference_identifiers.html#identifiers-arns`,
    text: 'When you specify an incomplete ARN (one with fewer than the standard six fields) in an identity-based policy, AWS automatically completes the ARN by adding wildcard characters (*) to all missing fields.',
    rewrite: (asked) =>
      resources(asked, (value, { kind }) => {
        const missing = 6 - value.split(':').length
        if (value === '*' || missing <= 0 || !(value.endsWith('*') || kind === 'identity' || kind === 'boundary')) return undefined
        return value + ':*'.repeat(missing)
      })
  },
  {
    name: 'a star that ends its part of an ARN reaches over colons',
    source: `${guide}reference_policies_elements_resource.html`,
    text: 'If the * wildcard is the last character of a resource ARN segment, it can expand to match beyond the colon boundaries.',
    rewrite: (asked) =>
      resources(asked, (value) => {
        if (!/\*:/.test(value) || value.includes('${')) return undefined
        let colons = 0
        let pattern = ''
        for (const [index, character] of [...value].entries()) {
          if (character === ':') colons += 1
          const ends = value[index + 1] === undefined || value[index + 1] === ':'
          if (character === '*') pattern += ends || colons >= 5 ? '.*' : '[^:]*'
          else if (character === '?') pattern += colons >= 5 ? '.' : '[^:]'
          else pattern += character.replace(/[^\w]/g, '\\$&')
        }
        const crosses = new RegExp(`^${pattern}$`).test(asked.resource)
        return crosses ? escape(asked.resource) : undefined
      })
  },
  {
    name: 'NotPrincipal spares who is listed together with role and account',
    source: `${guide}reference_policies_elements_notprincipal.html`,
    text: 'When you use NotPrincipal, you must also specify the account ARN of the not-denied principal. Otherwise, the policy might deny access to the entire account containing the principal. […] AWS might validate the account first, then the role, and last the assumed role user.',
    rewrite: (asked) => {
      const account = asked.principal.split(':')[4]
      if (!account) return false
      const session = /:assumed-role\/([^/]+)\//.exec(asked.principal)
      const federated = /:federated-user\/(.+)$/.exec(asked.principal)
      const issuer = session ? new RegExp(`:role/(.*/)?${session[1]}$`) : federated && new RegExp(`:user/(.*/)?${federated[1]}$`)
      const root = `arn:aws:iam::${account}:root`
      let found = false
      for (const { statement } of statementsOf(asked)) {
        const spared = statement.NotPrincipal
        if (!spared || spared === '*') continue
        const names = [spared.AWS ?? []].flat()
        if (names.includes('*')) continue
        const whole =
          (names.includes(account) || names.includes(root)) &&
          (names.includes(asked.principal) || asked.principal === root) &&
          (!issuer || names.some((name) => issuer.test(name)))
        if (whole) continue
        delete statement.NotPrincipal
        statement.Principal = '*'
        found = true
      }
      return found
    }
  },
  {
    name: 'the root user needs no policy of its own',
    source: `${guide}id_root-user.html`,
    text: "The credentials of the root user (account owner) allow full access to all resources in the account. […] You can't use IAM policies to deny the root user access to resources explicitly. You can only use an AWS Organizations service control policy (SCP) to limit the permissions of the root user.",
    rewrite: (asked) => {
      if (!asked.principal.endsWith(':root')) return false
      asked.identity = [{ Version: '2012-10-17', Statement: { Effect: 'Allow', Action: '*', Resource: '*' } }]
      return true
    }
  },
  {
    name: 'service-linked roles are bound by neither SCPs nor RCPs',
    source: 'https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html',
    text: 'SCPs do not affect any service-linked role. […] RCPs do not impact the effective permissions of any service-linked role.',
    rewrite: (asked) => {
      if (!/:assumed-role\/AWSServiceRoleFor/.test(asked.principal) || asked.scps.length + asked.rcps.length === 0) return false
      asked.scps = []
      asked.rcps = []
      return true
    }
  },
  {
    name: 'what a resource grants to a session itself is not limited by the session policy',
    source: `${guide}access_policies.html#policies_session`,
    text: 'A resource-based policy can specify the ARN of the session as a principal. In that case, the permissions from the resource-based policy are added after the session is created. The resource-based policy permissions are not limited by the session policy.',
    rewrite: (asked) => {
      if (!asked.session || !asked.resource_policy) return false
      const direct = [asked.resource_policy.Statement].flat().some(({ Effect, Principal }) => {
        if (Effect !== 'Allow' || !Principal) return false
        return Principal === '*' || [Principal.AWS ?? []].flat().some((name) => name === '*' || name === asked.principal)
      })
      if (!direct) return false
      const denies = [asked.session.Statement].flat().filter(({ Effect }) => Effect === 'Deny')
      asked.session = {
        ...asked.session,
        Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }, ...denies]
      }
      return true
    }
  }
]
