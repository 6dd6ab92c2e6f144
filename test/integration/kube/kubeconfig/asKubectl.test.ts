// The plugin reads kubeconfigs exactly as kubectl does: each case is given to the real kubectl and
// to the plugin, before one API server. Both must reach it with the same credentials, as the same
// user, in the same namespace, or both must refuse.
import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Noted, type Recorder, startRecorder } from '../../../support/kube/recorder.ts'
import { toolPath } from '../../../support/kube/tools.ts'
import { useServer } from '../../../support/kube/useServer.ts'
import { root } from '../../../support/repository.ts'
import { shared } from '../../../support/shared.ts'
import { until } from '../../../support/until.ts'

const server = useServer()
const cleanUps: (() => unknown)[] = []
const recording = shared(async (): Promise<Recorder> => {
  const { api } = server()
  const isServed = async () => (await api.ask(['get', 'packetcaptures', '-A'])).code === 0
  await until('captures to be served', isServed) // a new kind answers 429 at first
  return startRecorder({ teardown: cleanUp => void cleanUps.push(cleanUp) }, api)
})
test.after.always(async () => {
  for (const cleanUp of cleanUps) await cleanUp()
})

type Case = {
  /** By name; an object is written as JSON, and its directory is made. */
  readonly files: Readonly<Record<string, string | object>>
  readonly env?: Readonly<Record<string, string>>
  readonly flags?: readonly string[]
  readonly expected: 'works' | 'refuses'
  readonly said?: RegExp // of the plugin's refusal
}
type Facts = { readonly recorder: Recorder; readonly directory: string; readonly token: string }

const name = 'here'
const context = { name, context: { cluster: name, user: name, namespace: 'shop' } }
const config = (cluster: object, user: object, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name, cluster }],
  users: [{ name, user }],
  contexts: [context],
  'current-context': name,
  ...more,
})
const away = {
  ...config({ server: 'https://127.0.0.1:1' }, { token: 'away' }),
  clusters: [{ name: 'away', cluster: { server: 'https://127.0.0.1:1' } }],
  users: [{ name: 'away', user: { token: 'away' } }],
  contexts: [{ name: 'away', context: { cluster: 'away', user: 'away', namespace: 'far' } }],
  'current-context': 'away',
}
const plugin = (token: string, check = '') =>
  `#!/bin/sh\n${check}\necho '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"${token}"}}'\n`
const exec = (command: string, more: object = {}) => ({
  exec: {
    apiVersion: 'client.authentication.k8s.io/v1',
    interactiveMode: 'Never',
    command,
    ...more,
  },
})

const cases: Readonly<Record<string, (facts: Facts) => Case>> = {
  'a file of its own': facts => works({ config: config(clusterOf(facts), userOf(facts)) }),
  'the first of two files has the current context': facts =>
    works({ config: config(clusterOf(facts), userOf(facts)), two: away }, 'config:two'),
  'the second of two files has no say, the other way round neither': facts =>
    refuses({ config: config(clusterOf(facts), userOf(facts)), two: away }, 'two:config'),
  'two files define the same names: the first counts': facts =>
    works(
      {
        config: config(clusterOf(facts), userOf(facts)),
        two: config({ server: 'https://127.0.0.1:1' }, { token: 'x' }),
      },
      'config:two',
    ),
  'a user that is defined twice is not put together of both': facts =>
    works(
      {
        config: config(clusterOf(facts), userOf(facts)),
        two: config(clusterOf(facts), { as: 'nobody' }),
      },
      'config:two',
    ),
  'contexts in one file, clusters and users in the other': facts =>
    works(
      {
        config: { ...config({}, {}), clusters: [], users: [] },
        two: { ...config(clusterOf(facts), userOf(facts)), contexts: [], 'current-context': '' },
      },
      'config:two',
    ),
  'the current context in one file, the context in the other': facts =>
    works(
      {
        two: { apiVersion: 'v1', kind: 'Config', 'current-context': name },
        config: config(clusterOf(facts), userOf(facts), { 'current-context': '' }),
      },
      'two:config',
    ),
  'the first file is missing': facts =>
    works({ config: config(clusterOf(facts), userOf(facts)) }, 'none:config'),
  'the last file is missing, and the path ends with a colon': facts =>
    works({ config: config(clusterOf(facts), userOf(facts)) }, 'config:none:'),
  'a file is empty': facts =>
    works({ config: config(clusterOf(facts), userOf(facts)), empty: '' }, 'empty:config'),
  'a file has a comment alone': facts =>
    works(
      { config: config(clusterOf(facts), userOf(facts)), empty: '# nothing yet\n' },
      'empty:config',
    ),
  'a file is no YAML': facts =>
    refuses({ config: config(clusterOf(facts), userOf(facts)), bad: '{' }, 'config:bad'),
  'a file is of another kind': facts =>
    refuses({ config: { ...config(clusterOf(facts), userOf(facts)), kind: 'Pod' } }),
  'kind and apiVersion are missing': facts =>
    works({
      config: {
        ...config(clusterOf(facts), userOf(facts)),
        kind: undefined,
        apiVersion: undefined,
      },
    }),
  'one file defines a cluster twice': facts =>
    refuses({
      config: config(clusterOf(facts), userOf(facts), {
        clusters: [
          { name, cluster: clusterOf(facts) },
          { name, cluster: clusterOf(facts) },
        ],
      }),
    }),
  '--kubeconfig goes before $KUBECONFIG': facts =>
    works({ config: away, two: config(clusterOf(facts), userOf(facts)) }, 'config', [
      '--kubeconfig',
      '$DIR/two',
    ]),
  '--kubeconfig is missing': facts =>
    refuses({ config: config(clusterOf(facts), userOf(facts)) }, 'config', [
      '--kubeconfig',
      '$DIR/none',
    ]),
  'in the home directory': facts => ({
    files: { '.kube/config': config(clusterOf(facts), userOf(facts)) },
    env: { KUBECONFIG: '' },
    expected: 'works',
  }),
  'all files of $KUBECONFIG are missing': () => ({
    files: {},
    env: { KUBECONFIG: '$DIR/none:$DIR/nil' },
    expected: 'refuses',
    said: /nothing names one, and none answers at localhost:8080/,
  }),
  'no kubeconfig at all': () => ({
    files: {},
    env: { KUBECONFIG: '' },
    expected: 'refuses',
    said: /^Cannot reach the API server: nothing names one, and none answers at localhost:8080\. Looked for a kubeconfig in .*\/\.kube\/config; expected one there, in \$KUBECONFIG or by --kubeconfig\n$/,
  }),
  'no kubeconfig, and $KUBERNETES_MASTER': ({ recorder }) => ({
    files: {},
    env: { KUBECONFIG: '', KUBERNETES_MASTER: recorder.plainUrl },
    expected: 'refuses', // anonymously
  }),

  'another context is stale: no cluster, no user': facts =>
    works({
      config: config(clusterOf(facts), userOf(facts), {
        contexts: [{ name: 'stale', context: { cluster: '', namespace: 'x', user: '' } }, context],
      }),
    }),
  'another context has no fields': facts =>
    works({
      config: config(clusterOf(facts), userOf(facts), {
        contexts: [{ name: 'stale', context: null }, context],
      }),
    }),
  'another cluster has no server': facts =>
    works({
      config: config(clusterOf(facts), userOf(facts), {
        clusters: [
          { name: 'stale', cluster: { server: '' } },
          { name: 'bare' },
          { name, cluster: clusterOf(facts) },
        ],
      }),
    }),
  'another user has a plugin that is not there': facts =>
    works({
      config: config(clusterOf(facts), userOf(facts), {
        users: [
          { name: 'stale', user: exec('/none') },
          { name, user: userOf(facts) },
        ],
      }),
    }),
  'the current context does not exist': facts =>
    refuses({ config: config(clusterOf(facts), userOf(facts), { 'current-context': 'gone' }) }),
  'the context names a cluster that does not exist': facts =>
    refuses({
      config: config(clusterOf(facts), userOf(facts), {
        contexts: [{ name, context: { cluster: 'gone', user: name } }],
      }),
    }),
  'the context names a user that does not exist': facts =>
    refuses({
      config: config(clusterOf(facts), userOf(facts), {
        contexts: [{ name, context: { cluster: name, user: 'gone' } }],
      }),
    }),
  'users is null': facts =>
    refuses({ config: config(clusterOf(facts), userOf(facts), { users: null }) }),
  'the context has no namespace': facts =>
    works({
      config: config(clusterOf(facts), userOf(facts), {
        contexts: [{ name, context: { cluster: name, user: name } }],
      }),
    }),
  'no current context': facts =>
    refuses({ config: config(clusterOf(facts), userOf(facts), { 'current-context': '' }) }),
  'no current context, and --context': facts =>
    works(
      { config: config(clusterOf(facts), userOf(facts), { 'current-context': '' }) },
      'config',
      ['--context', name],
    ),
  '--context that does not exist': facts =>
    refuses(
      { config: config(clusterOf(facts), userOf(facts)) },
      'config',
      ['--context=gone'],
      /the context "gone" does not exist: expected one of here\n$/,
    ),
  '--cluster and --user': facts =>
    works({ config: away, two: config(clusterOf(facts), userOf(facts)) }, 'config:two', [
      '--cluster',
      name,
      '--user',
      name,
    ]),
  '--cluster that does not exist': facts =>
    refuses({ config: config(clusterOf(facts), userOf(facts)) }, 'config', ['--cluster=gone']),
  '--user that does not exist': facts =>
    refuses({ config: config(clusterOf(facts), userOf(facts)) }, 'config', ['--user=gone']),
  '-n with an equals sign': facts =>
    works({ config: config(clusterOf(facts), userOf(facts)) }, 'config', ['-n=default']),
  '--namespace': facts =>
    works({ config: config(clusterOf(facts), userOf(facts)) }, 'config', [
      '--namespace',
      'default',
    ]),

  'a token file': facts =>
    works({
      config: config(clusterOf(facts), { tokenFile: '$DIR/sub/token' }),
      'sub/token': `${facts.token}\n`,
    }),
  'a token file, relative to the file that names it': facts =>
    works(
      { 'sub/config': config(clusterOf(facts), { tokenFile: 'token' }), 'sub/token': facts.token },
      'sub/config',
    ),
  'a token and a token file: the file goes first': facts =>
    works({
      config: config(clusterOf(facts), { token: 'old', tokenFile: 'token' }),
      token: facts.token,
    }),
  'a token file that is not there': facts =>
    refuses({ config: config(clusterOf(facts), { tokenFile: 'none' }) }),
  'a token file that is empty': facts =>
    refuses({ config: config(clusterOf(facts), { tokenFile: 'token' }), token: '' }),
  'no credentials': facts => refuses({ config: config(clusterOf(facts), {}) }),
  'a wrong token': facts => refuses({ config: config(clusterOf(facts), { token: 'wrong' }) }),
  'a user and a password': facts =>
    refuses({ config: config(clusterOf(facts), { username: 'u', password: 'p' }) }),
  'a token and a password': facts =>
    refuses({
      config: config(clusterOf(facts), { ...userOf(facts), username: 'u', password: 'p' }),
    }),
  '--token in place of the kubeconfig’s': facts =>
    works({ config: config(clusterOf(facts), { token: 'wrong' }) }, 'config', [
      '--token',
      facts.token,
    ]),
  '--token in place of a plugin': facts =>
    works({ config: config(clusterOf(facts), exec('/none')) }, 'config', ['--token', facts.token]),

  'a certificate authority, relative': facts =>
    works(
      {
        'sub/config': config(
          { server: facts.recorder.url, 'certificate-authority': 'ca.crt' },
          userOf(facts),
        ),
        'sub/ca.crt': facts.recorder.cert,
      },
      'sub/config',
    ),
  'a certificate authority as data': facts =>
    works({
      config: config(
        {
          server: facts.recorder.url,
          'certificate-authority-data': Buffer.from(facts.recorder.cert).toString('base64'),
        },
        userOf(facts),
      ),
    }),
  'a certificate authority twice': facts =>
    refuses({
      config: config(
        {
          ...clusterOf(facts),
          'certificate-authority-data': Buffer.from(facts.recorder.cert).toString('base64'),
        },
        userOf(facts),
      ),
    }),
  'a certificate authority that is not there': facts =>
    refuses({
      config: config(
        { server: facts.recorder.url, 'certificate-authority': 'none' },
        userOf(facts),
      ),
    }),
  'no certificate authority': facts =>
    refuses({ config: config({ server: facts.recorder.url }, userOf(facts)) }),
  'no certificate authority, and the machine knows it': facts => ({
    files: { config: config({ server: facts.recorder.url }, userOf(facts)) },
    env: { SSL_CERT_FILE: facts.recorder.caFile },
    expected: 'works',
  }),
  'the certificate is not checked': facts =>
    works({
      config: config(
        { server: facts.recorder.url, 'insecure-skip-tls-verify': true },
        userOf(facts),
      ),
    }),
  'the certificate is not checked, and an authority is given': facts =>
    refuses({
      config: config({ ...clusterOf(facts), 'insecure-skip-tls-verify': true }, userOf(facts)),
    }),
  '--insecure-skip-tls-verify': facts =>
    works(
      { config: config({ ...clusterOf(facts), 'certificate-authority': '/none' }, userOf(facts)) },
      'config',
      ['--insecure-skip-tls-verify'],
    ),
  '--insecure-skip-tls-verify=true': facts =>
    works({ config: config({ server: facts.recorder.url }, userOf(facts)) }, 'config', [
      '--insecure-skip-tls-verify=true',
    ]),
  '--insecure-skip-tls-verify=false': facts =>
    refuses({ config: config({ server: facts.recorder.url }, userOf(facts)) }, 'config', [
      '--insecure-skip-tls-verify=false',
    ]),
  '--certificate-authority': facts =>
    works(
      {
        config: config(
          { server: facts.recorder.url, 'insecure-skip-tls-verify': true },
          userOf(facts),
        ),
      },
      'config',
      ['--certificate-authority', facts.recorder.caFile],
    ),
  'another name in the certificate': facts =>
    works({
      config: config({ ...clusterOf(facts), 'tls-server-name': 'api.test' }, userOf(facts)),
    }),
  'a name that is not in the certificate': facts =>
    refuses({
      config: config({ ...clusterOf(facts), 'tls-server-name': 'other.test' }, userOf(facts)),
    }),
  '--tls-server-name': facts =>
    works(
      { config: config({ ...clusterOf(facts), 'tls-server-name': 'other.test' }, userOf(facts)) },
      'config',
      ['--tls-server-name', 'api.test'],
    ),
  '--server, and with it no other name': facts =>
    works(
      {
        config: config(
          { ...clusterOf(facts), server: 'https://127.0.0.1:1', 'tls-server-name': 'other.test' },
          userOf(facts),
        ),
      },
      'config',
      ['-s', facts.recorder.url],
    ),
  'a slash behind the server': facts =>
    works({
      config: config({ ...clusterOf(facts), server: `${facts.recorder.url}/` }, userOf(facts)),
    }),
  'a path behind the server': facts =>
    works({
      config: config(
        { ...clusterOf(facts), server: `${facts.recorder.url}/prefix` },
        userOf(facts),
      ),
    }),
  'a server without TLS gets no token': facts =>
    refuses({ config: config({ server: facts.recorder.plainUrl }, userOf(facts)) }),
  'a server without a scheme': facts =>
    refuses({
      config: config({ server: facts.recorder.plainUrl.replace('http://', '') }, userOf(facts)),
    }),
  'a proxy-url of another kind': facts =>
    refuses({
      config: config({ ...clusterOf(facts), 'proxy-url': 'ftp://127.0.0.1:1' }, userOf(facts)),
    }),
  'a proxy that does not answer': facts =>
    refuses({
      config: config({ ...clusterOf(facts), 'proxy-url': 'http://127.0.0.1:1' }, userOf(facts)),
    }),

  'a client certificate, relative': facts =>
    refuses(
      {
        'sub/config': config(clusterOf(facts), {
          'client-certificate': 'me.crt',
          'client-key': 'me.key',
        }),
        'sub/me.crt': facts.recorder.cert,
        'sub/me.key': facts.recorder.key,
      },
      'sub/config',
    ),
  'a client certificate and a token': facts =>
    works({
      config: config(clusterOf(facts), {
        ...userOf(facts),
        'client-certificate': 'me.crt',
        'client-key': 'me.key',
      }),
      'me.crt': facts.recorder.cert,
      'me.key': facts.recorder.key,
    }),
  'a client certificate without a key': facts =>
    refuses({
      config: config(clusterOf(facts), { ...userOf(facts), 'client-certificate': 'me.crt' }),
      'me.crt': facts.recorder.cert,
    }),
  '--client-certificate and --client-key': facts =>
    works(
      {
        config: config(clusterOf(facts), userOf(facts)),
        'me.crt': facts.recorder.cert,
        'me.key': facts.recorder.key,
      },
      'config',
      ['--client-certificate', '$DIR/me.crt', '--client-key', '$DIR/me.key'],
    ),

  'a plugin, relative to the file that names it': facts =>
    works(
      {
        'sub/config': config(clusterOf(facts), exec('./plugin.sh')),
        'sub/plugin.sh': plugin(facts.token),
      },
      'sub/config',
    ),
  'a plugin on the PATH': facts => ({
    files: {
      config: config(clusterOf(facts), exec('plugin.sh')),
      'bin/plugin.sh': plugin(facts.token),
    },
    env: { PATH: `$DIR/bin:${process.env.PATH}` },
    expected: 'works',
  }),
  'a plugin without arguments and variables, as aws eks writes it': facts =>
    works({
      config: config(clusterOf(facts), exec('./plugin.sh', { args: null, env: null })),
      'plugin.sh': plugin(facts.token),
    }),
  'a plugin with arguments and variables': facts =>
    works({
      config: config(
        clusterOf(facts),
        exec('./plugin.sh', { args: ['--a', 'b c'], env: [{ name: 'ME', value: 'x' }] }),
      ),
      'plugin.sh': plugin(facts.token, '[ "$2" = "b c" ] && [ "$ME" = x ] || exit 1'),
    }),
  'a plugin is told of the cluster': facts =>
    works({
      config: config(
        {
          ...clusterOf(facts),
          extensions: [
            { name: 'client.authentication.k8s.io/exec', extension: { audience: 'me' } },
          ],
        },
        exec('./plugin.sh', { provideClusterInfo: true }),
      ),
      'plugin.sh': plugin(
        facts.token,
        'tr -d " \\n" <<END >> $(dirname "$0")/info\n$KUBERNETES_EXEC_INFO\nEND\ncase "$KUBERNETES_EXEC_INFO" in *\'"server":"https://127.0.0.1:\'*\'"certificate-authority-data":"\'*\'"audience":"me"\'*) ;; *) exit 1 ;; esac',
      ),
    }),
  'a plugin is told its version, and not of the cluster': facts =>
    works({
      config: config(clusterOf(facts), exec('./plugin.sh')),
      'plugin.sh': plugin(
        facts.token,
        'case "$KUBERNETES_EXEC_INFO" in *server*) exit 1 ;; *\'"apiVersion":"client.authentication.k8s.io/v1"\'*\'"interactive":false\'*) ;; *) exit 1 ;; esac',
      ),
    }),
  'a plugin of v1beta1 needs no interactiveMode': facts =>
    works({
      config: config(
        clusterOf(facts),
        exec('./plugin.sh', {
          apiVersion: 'client.authentication.k8s.io/v1beta1',
          interactiveMode: undefined,
        }),
      ),
      'plugin.sh': plugin(facts.token).replace('io/v1"', 'io/v1beta1"'),
    }),
  'a plugin of v1 needs an interactiveMode': facts =>
    refuses({
      config: config(clusterOf(facts), exec('./plugin.sh', { interactiveMode: undefined })),
      'plugin.sh': plugin(facts.token),
    }),
  'a plugin answers in another version': facts =>
    refuses({
      config: config(clusterOf(facts), exec('./plugin.sh')),
      'plugin.sh': plugin(facts.token).replace('io/v1"', 'io/v1beta1"'),
    }),
  'a plugin fails': facts =>
    refuses(
      {
        config: config(clusterOf(facts), exec('./plugin.sh')),
        'plugin.sh': '#!/bin/sh\necho log in first >&2\nexit 3\n',
      },
      'config',
      [],
      /log in first\n.*Cannot get credentials of the plugin ".*\/plugin\.sh": it ended with exit code 3/s,
    ),
  'a plugin is not there': facts =>
    refuses(
      {
        config: config(
          clusterOf(facts),
          exec('no-such-plugin', { installHint: 'Install it from here.' }),
        ),
      },
      'config',
      [],
      /Install it from here\./,
    ),
  'a plugin that needs a terminal': facts =>
    refuses({
      config: config(clusterOf(facts), exec('./plugin.sh', { interactiveMode: 'Always' })),
      'plugin.sh': plugin(facts.token),
    }),
  'a plugin gives a certificate': facts =>
    refuses({
      config: config(clusterOf(facts), exec('./plugin.sh')),
      'plugin.sh': `#!/bin/sh\ncat $(dirname "$0")/answer\n`,
      answer: {
        apiVersion: 'client.authentication.k8s.io/v1',
        kind: 'ExecCredential',
        status: { clientCertificateData: facts.recorder.cert, clientKeyData: facts.recorder.key },
      },
    }),
  'a plugin beside a token': facts =>
    works({ config: config(clusterOf(facts), { ...userOf(facts), ...exec('/none') }) }),
  'a provider that kubectl has no more': facts =>
    refuses({ config: config(clusterOf(facts), { 'auth-provider': { name: 'gcp', config: {} } }) }),
  'an OpenID token that is valid': facts =>
    refuses({
      config: config(clusterOf(facts), {
        'auth-provider': {
          name: 'oidc',
          config: {
            'idp-issuer-url': 'https://127.0.0.1:1',
            'client-id': 'me',
            'id-token': jwt(4_000_000_000),
          },
        },
      }),
    }), // the API server knows no OpenID
  'an OpenID token that has expired': facts =>
    refuses({
      config: config(clusterOf(facts), {
        'auth-provider': {
          name: 'oidc',
          config: {
            'idp-issuer-url': 'https://127.0.0.1:1',
            'client-id': 'me',
            'id-token': jwt(1),
            'refresh-token': 'x',
          },
        },
      }),
    }),

  'as another user': facts =>
    refuses(
      {
        config: config(clusterOf(facts), {
          ...userOf(facts),
          as: 'system:serviceaccount:shop:nobody',
        }),
      },
      'config',
      [],
      /User "system:serviceaccount:shop:nobody" cannot list/,
    ),
  'as another user of a group': facts =>
    works({
      config: config(clusterOf(facts), {
        ...userOf(facts),
        as: 'bob',
        'as-groups': ['system:masters', 'a,b'],
      }),
    }),
  'as another user with uid and extra': facts =>
    works({
      config: config(clusterOf(facts), {
        ...userOf(facts),
        as: 'bob',
        'as-groups': ['system:masters'],
        'as-uid': '7',
        'as-user-extra': { 'example.com/team x': ['one', 'two'] },
      }),
    }),
  'a group and no user': facts =>
    refuses({
      config: config(clusterOf(facts), { ...userOf(facts), 'as-groups': ['system:masters'] }),
    }),
  '--as and --as-group, twice': facts =>
    works({ config: config(clusterOf(facts), userOf(facts)) }, 'config', [
      '--as',
      'bob',
      '--as-group',
      'system:masters',
      '--as-group=two,three',
    ]),
  '--as-uid and --as-user-extra': facts =>
    works({ config: config(clusterOf(facts), userOf(facts)) }, 'config', [
      '--as=bob',
      '--as-group=system:masters',
      '--as-uid=9',
      '--as-user-extra',
      'scopes=a=b',
      '--as-user-extra=scopes=c',
    ]),
  '--as-group alone': facts =>
    refuses({ config: config(clusterOf(facts), userOf(facts)) }, 'config', [
      '--as-group',
      'system:masters',
    ]),

  '--request-timeout': facts =>
    works({ config: config(clusterOf(facts), userOf(facts)) }, 'config', [
      '--request-timeout',
      '1m30s',
    ]),
  '--request-timeout in seconds': facts =>
    works({ config: config(clusterOf(facts), userOf(facts)) }, 'config', ['--request-timeout=20']),
  '--request-timeout that is none': facts =>
    refuses({ config: config(clusterOf(facts), userOf(facts)) }, 'config', [
      '--request-timeout=soon',
    ]),
  '-v': facts => works({ config: config(clusterOf(facts), userOf(facts)) }, 'config', ['-v', '6']),
  '-v with an equals sign': facts =>
    works({ config: config(clusterOf(facts), userOf(facts)) }, 'config', ['-v=8']),
}

for (const [title, make] of Object.entries(cases))
  test.serial(`as kubectl: ${title}`, async t => {
    const recorder = await recording()
    const directory = mkdtempSync(join(server().api.directory, 'kubeconfigs-'))
    const {
      files,
      env = {},
      flags = [],
      expected,
      said,
    } = make({
      recorder,
      directory,
      token: server().api.token,
    })
    for (const [file, content] of Object.entries(files)) write(directory, file, content)
    const at = (text: string) => text.replaceAll('$DIR', directory)
    const setting = {
      ...process.env,
      HOME: directory,
      KUBECACHEDIR: join(server().api.directory, 'cache'),
      KUBECONFIG: at('$DIR/config'),
      ...Object.fromEntries(Object.entries(env).map(([key, value]) => [key, at(value)])),
    }
    const more = flags.map(at)
    recorder.take()
    const kubectl = await run(toolPath('kubectl'), ['get', 'packetcaptures.projectcalico.org', '-o', 'name', ...more], setting) // biome-ignore format: one line
    const asked = lastList(recorder.take())
    const plugin = await run(join(root, 'bin', 'kubectl-pcap'), ['list', '--api', 'PacketCapture', '-o', 'name', ...more], setting) // biome-ignore format: one line
    const askedToo = lastList(recorder.take())
    const both = `kubectl ${kubectl.code}: ${kubectl.err}\nplugin ${plugin.code}: ${plugin.err}`
    t.is(kubectl.code === 0, expected === 'works', both)
    t.is(plugin.code === 0, expected === 'works', both)
    if (expected === 'works') same(t, askedToo, asked)
    else t.notRegex(plugin.err, /^ +at /m, 'a refusal has no stack')
    if (asked && askedToo) same(t, askedToo, asked)
    if (said) t.regex(plugin.err, said)
  })

test.serial(
  'a plugin whose token is revoked is asked once more, and no more than once',
  async t => {
    const facts = { recorder: await recording(), directory: '', token: server().api.token }
    const directory = mkdtempSync(join(server().api.directory, 'kubeconfigs-'))
    write(directory, 'config', config(clusterOf(facts), exec('./plugin.sh')))
    const env = { ...process.env, HOME: directory, KUBECONFIG: join(directory, 'config') }
    const list = () =>
    run(join(root, 'bin', 'kubectl-pcap'), ['list', '--api', 'PacketCapture', '--api-group', 'projectcalico.org'], env) // biome-ignore format: one line
    const count = 'echo x >>$(dirname "$0")/calls'
    const second = `${count}; [ $(wc -l <$(dirname "$0")/calls) = 1 ] && token=revoked || token=${facts.token}` // biome-ignore format: one line
    write(directory, 'plugin.sh', plugin("'$token'", second).replace(`'"$token"'`, '$token'))
    facts.recorder.take()
    const renewed = await list()
    t.is(renewed.code, 0, renewed.err)
    t.deepEqual(facts.recorder.take().map(({ authorization }) => authorization), ['Bearer revoked', `Bearer ${facts.token}`]) // biome-ignore format: one line
    write(directory, 'plugin.sh', plugin('revoked', count))
    const refused = await list()
    t.is(refused.code, 4, refused.err)
    t.is(facts.recorder.take().length, 2)
  },
)

function works(files: Case['files'], path = 'config', flags: readonly string[] = []): Case {
  return { files, flags, expected: 'works', env: { KUBECONFIG: inDirectory(path) } }
}

function refuses(
  files: Case['files'],
  path = 'config',
  flags: readonly string[] = [],
  said?: RegExp,
): Case {
  // biome-ignore format: one line
  return { files, flags, expected: 'refuses', env: { KUBECONFIG: inDirectory(path) }, ...(said && { said }) } // biome-ignore format: one line
}

function inDirectory(path: string): string {
  return path
    .split(':')
    .map(file => file && `$DIR/${file}`)
    .join(':')
}

function clusterOf({ recorder }: Facts): { server: string; 'certificate-authority': string } {
  return { server: recorder.url, 'certificate-authority': recorder.caFile }
}

function userOf({ token }: Facts): { token: string } {
  return { token }
}

function jwt(exp: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ exp })}.x`
}

function write(directory: string, file: string, content: string | object): void {
  const path = join(directory, file)
  mkdirSync(dirname(path), { recursive: true })
  const text = typeof content === 'string' ? content : JSON.stringify(content)
  writeFileSync(path, text.replaceAll('$DIR', directory))
  if (file.endsWith('.sh')) chmodSync(path, 0o755)
}

// The last request of each: which came before it, discovery, is their own affair.
function lastList(noted: readonly Noted[]): Noted | undefined {
  return noted.at(-1)
}

function same(t: ExecutionContext, plugin: Noted | undefined, kubectl: Noted | undefined): void {
  t.truthy(kubectl)
  const facts = (noted: Noted | undefined) => ({ ...noted, path: noted?.path.replace(/\?.*/, '') })
  const isList = kubectl?.path.includes('/packetcaptures') === true
  t.deepEqual(isList ? facts(plugin) : { ...facts(plugin), path: '' }, isList ? facts(kubectl) : { ...facts(kubectl), path: '' }) // biome-ignore format: one line
}

type Ended = { readonly code: number; readonly out: string; readonly err: string }

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ended> {
  return new Promise(resolve => {
    const child = execFile(program, args, { env, timeout: 60_000 }, (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    )
    child.stdin?.end()
  })
}
