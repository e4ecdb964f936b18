/** The settings of a broker that concern its identity, its listeners and connections, and security. */

import { bool, int, list, long, oneOf, password, string } from '../base/setting.ts'

const int32Max = 0x7fffffff
const protocols = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const

export const brokerNetworkSettings = {
  'node.id': int(1, { min: 0, doc: 'The number by which the cluster knows this node.' }),
  'broker.id': int(-1, { doc: 'The older name of node.id.' }),
  'process.roles': list(['broker', 'controller'], {
    words: ['broker', 'controller'],
    doc: 'What this process does; always both here.',
  }),
  'broker.rack': string(null, { doc: 'Where the broker stands, so that replicas can be spread.' }),

  listeners: list(['PLAINTEXT://127.0.0.1:9092'], {
    dynamic: 'broker',
    doc: 'Where the broker listens, as NAME://HOST:PORT; port 0 takes any free one.',
  }),
  'advertised.listeners': list(null, {
    doc: 'The addresses that clients are told, as NAME://HOST:PORT.',
  }),
  'listener.security.protocol.map': string(
    'SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT',
    { dynamic: 'broker', doc: 'The security protocol of each listener, by its name.' },
  ),
  'inter.broker.listener.name': string(null, { doc: 'The listener that other brokers use.' }),
  'controller.listener.names': list([], {
    doc: 'Taken from old files and not used: there is no controller listener.',
  }),
  'security.inter.broker.protocol': oneOf(protocols, 'PLAINTEXT', {
    doc: 'How brokers talk to each other where no listener is named for it.',
  }),
  'socket.request.max.bytes': int(104_857_600, {
    min: 1,
    unit: 'bytes',
    doc: 'The largest request frame; a larger one closes the connection.',
  }),
  'socket.send.buffer.bytes': int(102_400, {
    unit: 'bytes',
    doc: "The kernel's send buffer of a connection; -1 leaves it alone.",
  }),
  'socket.receive.buffer.bytes': int(102_400, {
    unit: 'bytes',
    doc: "The kernel's receive buffer of a connection; -1 leaves it alone.",
  }),
  'socket.listen.backlog.size': int(50, {
    min: 1,
    doc: 'How many connections may wait to be accepted.',
  }),
  'max.connections': int(int32Max, {
    min: 0,
    dynamic: 'cluster',
    doc: 'Connections the broker accepts at a time.',
  }),
  'max.connections.per.ip': int(int32Max, {
    min: 0,
    dynamic: 'cluster',
    doc: 'Connections accepted from one address; loopback is never limited.',
  }),
  'max.connections.per.ip.overrides': string('', {
    dynamic: 'cluster',
    doc: 'Other limits for single addresses, as HOST:COUNT.',
  }),
  'max.connection.creation.rate': int(int32Max, {
    min: 0,
    dynamic: 'cluster',
    doc: 'New connections per second.',
  }),
  'connections.max.idle.ms': long(600_000, {
    unit: 'ms',
    doc: 'A connection silent for this long is closed.',
  }),
  'connections.max.reauth.ms': long(0, {
    unit: 'ms',
    doc: 'A connection must authenticate anew after this time; 0 is never.',
  }),
  'connection.failed.authentication.delay.ms': int(100, {
    min: 0,
    unit: 'ms',
    doc: 'How long the answer to a failed log-in is held back.',
  }),
  'queued.max.requests': int(500, {
    min: 1,
    doc: 'Requests in work before the broker stops reading.',
  }),
  'queued.max.request.bytes': long(-1, {
    unit: 'bytes',
    doc: 'Bytes of requests in work before the broker stops reading; -1 leaves it to ottla.',
  }),
  'request.timeout.ms': int(30_000, {
    unit: 'ms',
    doc: 'How long a request to another broker may take.',
  }),
  'num.network.threads': int(3, {
    min: 1,
    dynamic: 'cluster',
    doc: 'Taken for tools and not used: one event loop does the work.',
  }),
  'num.io.threads': int(8, {
    min: 1,
    dynamic: 'cluster',
    doc: 'Taken for tools and not used: one event loop does the work.',
  }),
  'background.threads': int(10, {
    min: 1,
    dynamic: 'cluster',
    doc: 'Taken for tools and not used: one event loop does the work.',
  }),
  'fetch.max.bytes': int(57_671_680, {
    min: 1024,
    unit: 'bytes',
    doc: 'The most a fetch answer holds, whatever the client asks for.',
  }),
  'max.incremental.fetch.session.cache.slots': int(1000, {
    min: 0,
    doc: 'Fetch sessions the broker remembers.',
  }),
  'max.request.partition.size.limit': int(2000, {
    min: 1,
    doc: 'The most partitions that one describe request answers.',
  }),

  'authorizer.class.name': string('', { doc: 'Names the authorizer; no code can be loaded.' }),
  'super.users': string('', {
    internal: true,
    doc: 'Principals that may do everything, separated by semicolons.',
  }),
  'allow.everyone.if.no.acl.found': bool(false, {
    internal: true,
    doc: 'Whether a resource without any rule is open to all.',
  }),
  'principal.builder.class': string(
    'org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder',
    { kind: 'class', dynamic: 'broker', doc: 'Not used: no configuration can name code to load.' },
  ),
  'sasl.enabled.mechanisms': list(['GSSAPI'], {
    dynamic: 'broker',
    doc: 'The SASL mechanisms that clients may use.',
  }),
  'sasl.mechanism.inter.broker.protocol': string('GSSAPI', {
    dynamic: 'broker',
    doc: 'The SASL mechanism between brokers.',
  }),
  'sasl.server.max.receive.size': int(524_288, {
    unit: 'bytes',
    doc: 'The largest frame accepted before a client is authenticated.',
  }),
  'ssl.client.auth': oneOf(['required', 'requested', 'none'], 'none', {
    dynamic: 'broker',
    doc: 'Whether a client must show a certificate.',
  }),
  'ssl.keystore.type': string('JKS', {
    dynamic: 'broker',
    doc: 'The format of the key store; only PEM can be used.',
  }),
  'ssl.keystore.location': string(null, {
    dynamic: 'broker',
    doc: 'The file with the key and certificate of the broker.',
  }),
  'ssl.keystore.key': password({ dynamic: 'broker', doc: 'The private key, as PEM.' }),
  'ssl.keystore.certificate.chain': password({
    dynamic: 'broker',
    doc: 'The certificate with those that vouch for it, as PEM.',
  }),
  'ssl.keystore.password': password({ dynamic: 'broker', doc: 'Opens the key store.' }),
  'ssl.key.password': password({ dynamic: 'broker', doc: 'Opens the private key.' }),
  'ssl.truststore.type': string('JKS', {
    dynamic: 'broker',
    doc: 'The format of the trust store; only PEM can be used.',
  }),
  'ssl.truststore.location': string(null, {
    dynamic: 'broker',
    doc: 'The file with the certificates that are trusted.',
  }),
  'ssl.truststore.certificates': password({
    dynamic: 'broker',
    doc: 'The certificates that are trusted, as PEM.',
  }),
  'ssl.truststore.password': password({ dynamic: 'broker', doc: 'Opens the trust store.' }),
  'delegation.token.secret.key': password({ doc: 'Signs delegation tokens.' }),
  'delegation.token.max.lifetime.ms': long(604_800_000, {
    min: 1,
    unit: 'ms',
    doc: 'A delegation token cannot be renewed beyond this age.',
  }),
  'delegation.token.expiry.time.ms': long(86_400_000, {
    min: 1,
    unit: 'ms',
    doc: 'A delegation token that is not renewed is valid for this long.',
  }),
  'quota.window.num': int(11, { min: 1, doc: 'Samples kept to measure a quota.' }),
  'quota.window.size.seconds': int(1, {
    min: 1,
    unit: 'seconds',
    doc: 'The length of a sample of a quota.',
  }),
} as const
