/**
 * What Apache Kafka 4.3.1 answers: of its ConfigDefs the type and default of each setting, and of
 * DescribeConfigs the synonym of a topic setting and whether a broker setting can be changed.
 * `null` = not set. Made from a broker that was started for it; settings of ours are not in it.
 */

/** name | type | default | broker synonym */
export const kafkaTopicSettings = `
cleanup.policy | list | delete | log.cleanup.policy
compression.gzip.level | int | -1 | compression.gzip.level
compression.lz4.level | int | 9 | compression.lz4.level
compression.type | string | producer | compression.type
compression.zstd.level | int | 3 | compression.zstd.level
delete.retention.ms | long | 86400000 | log.cleaner.delete.retention.ms
file.delete.delay.ms | long | 60000 | log.segment.delete.delay.ms
flush.messages | long | 9223372036854775807 | log.flush.interval.messages
flush.ms | long | 9223372036854775807 | 
follower.replication.throttled.replicas | list |  | 
index.interval.bytes | int | 4096 | log.index.interval.bytes
leader.replication.throttled.replicas | list |  | 
local.retention.bytes | long | -2 | log.local.retention.bytes
local.retention.ms | long | -2 | log.local.retention.ms
max.compaction.lag.ms | long | 9223372036854775807 | log.cleaner.max.compaction.lag.ms
max.message.bytes | int | 1048588 | message.max.bytes
message.timestamp.after.max.ms | long | 3600000 | log.message.timestamp.after.max.ms
message.timestamp.before.max.ms | long | 9223372036854775807 | log.message.timestamp.before.max.ms
message.timestamp.type | string | CreateTime | log.message.timestamp.type
min.cleanable.dirty.ratio | double | 0.5 | log.cleaner.min.cleanable.ratio
min.compaction.lag.ms | long | 0 | log.cleaner.min.compaction.lag.ms
min.insync.replicas | int | 1 | min.insync.replicas
preallocate | boolean | false | log.preallocate
remote.log.copy.disable | boolean | false | 
remote.log.delete.on.disable | boolean | false | 
remote.storage.enable | boolean | false | 
retention.bytes | long | -1 | log.retention.bytes
retention.ms | long | 604800000 | 
segment.bytes | int | 1073741824 | log.segment.bytes
segment.index.bytes | int | 10485760 | log.index.size.max.bytes
segment.jitter.ms | long | 0 | 
segment.ms | long | 604800000 | 
unclean.leader.election.enable | boolean | false | unclean.leader.election.enable
`

/** name | type | default | dynamic or read-only */
export const kafkaBrokerSettings = `
advertised.listeners | list | null | read-only
alter.config.policy.class.name | class | null | read-only
authorizer.class.name | string |  | read-only
auto.create.topics.enable | boolean | true | read-only
auto.leader.rebalance.enable | boolean | true | read-only
background.threads | int | 10 | dynamic
broker.heartbeat.interval.ms | int | 2000 | read-only
broker.id | int | -1 | read-only
broker.rack | string | null | read-only
broker.session.timeout.ms | int | 9000 | read-only
compression.gzip.level | int | -1 | dynamic
compression.lz4.level | int | 9 | dynamic
compression.type | string | producer | dynamic
compression.zstd.level | int | 3 | dynamic
connection.failed.authentication.delay.ms | int | 100 | read-only
connections.max.idle.ms | long | 600000 | read-only
connections.max.reauth.ms | long | 0 | read-only
controlled.shutdown.enable | boolean | true | read-only
controller.listener.names | list | <none> | read-only
controller.quorum.bootstrap.servers | list |  | read-only
controller.quorum.voters | list |  | read-only
create.topic.policy.class.name | class | null | read-only
default.replication.factor | int | 1 | read-only
delegation.token.expiry.time.ms | long | 86400000 | read-only
delegation.token.max.lifetime.ms | long | 604800000 | read-only
delegation.token.secret.key | password | null | read-only
delete.topic.enable | boolean | true | read-only
fetch.max.bytes | int | 57671680 | read-only
group.consumer.assignors | list | uniform,range | read-only
group.consumer.heartbeat.interval.ms | int | 5000 | read-only
group.consumer.max.heartbeat.interval.ms | int | 15000 | read-only
group.consumer.max.session.timeout.ms | int | 60000 | read-only
group.consumer.max.size | int | 2147483647 | read-only
group.consumer.migration.policy | string | bidirectional | read-only
group.consumer.min.heartbeat.interval.ms | int | 5000 | read-only
group.consumer.min.session.timeout.ms | int | 45000 | read-only
group.consumer.session.timeout.ms | int | 45000 | read-only
group.coordinator.rebalance.protocols | list | classic,consumer,streams | read-only
group.initial.rebalance.delay.ms | int | 3000 | read-only
group.max.session.timeout.ms | int | 1800000 | read-only
group.max.size | int | 2147483647 | read-only
group.min.session.timeout.ms | int | 6000 | read-only
group.share.delivery.count.limit | int | 5 | read-only
group.share.heartbeat.interval.ms | int | 5000 | read-only
group.share.max.size | int | 200 | read-only
group.share.partition.max.record.locks | int | 2000 | read-only
group.share.record.lock.duration.ms | int | 30000 | read-only
group.share.session.timeout.ms | int | 45000 | read-only
inter.broker.listener.name | string | null | read-only
leader.imbalance.check.interval.seconds | long | 300 | read-only
listener.security.protocol.map | string | SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT | dynamic
listeners | list | PLAINTEXT://:9092 | dynamic
log.cleaner.backoff.ms | long | 15000 | dynamic
log.cleaner.dedupe.buffer.size | long | 134217728 | dynamic
log.cleaner.delete.retention.ms | long | 86400000 | dynamic
log.cleaner.enable | boolean | true | read-only
log.cleaner.io.buffer.load.factor | double | 0.9 | dynamic
log.cleaner.io.buffer.size | int | 524288 | dynamic
log.cleaner.io.max.bytes.per.second | double | 1.7976931348623157E308 | dynamic
log.cleaner.max.compaction.lag.ms | long | 9223372036854775807 | dynamic
log.cleaner.min.cleanable.ratio | double | 0.5 | dynamic
log.cleaner.min.compaction.lag.ms | long | 0 | dynamic
log.cleaner.threads | int | 1 | dynamic
log.cleanup.policy | list | delete | dynamic
log.dir | list | /tmp/kafka-logs | read-only
log.dir.failure.timeout.ms | long | 30000 | read-only
log.dirs | list | null | read-only
log.flush.interval.messages | long | 9223372036854775807 | dynamic
log.flush.interval.ms | long | null | dynamic
log.flush.offset.checkpoint.interval.ms | int | 60000 | read-only
log.flush.scheduler.interval.ms | long | 9223372036854775807 | read-only
log.flush.start.offset.checkpoint.interval.ms | int | 60000 | read-only
log.index.interval.bytes | int | 4096 | dynamic
log.index.size.max.bytes | int | 10485760 | dynamic
log.local.retention.bytes | long | -2 | dynamic
log.local.retention.ms | long | -2 | dynamic
log.message.timestamp.after.max.ms | long | 3600000 | dynamic
log.message.timestamp.before.max.ms | long | 9223372036854775807 | dynamic
log.message.timestamp.type | string | CreateTime | dynamic
log.preallocate | boolean | false | dynamic
log.retention.bytes | long | -1 | dynamic
log.retention.check.interval.ms | long | 300000 | read-only
log.retention.hours | int | 168 | read-only
log.retention.minutes | int | null | read-only
log.retention.ms | long | null | dynamic
log.roll.hours | int | 168 | read-only
log.roll.jitter.hours | int | 0 | read-only
log.roll.jitter.ms | long | null | dynamic
log.roll.ms | long | null | dynamic
log.segment.bytes | int | 1073741824 | dynamic
log.segment.delete.delay.ms | long | 60000 | dynamic
max.connection.creation.rate | int | 2147483647 | dynamic
max.connections | int | 2147483647 | dynamic
max.connections.per.ip | int | 2147483647 | dynamic
max.connections.per.ip.overrides | string |  | dynamic
max.incremental.fetch.session.cache.slots | int | 1000 | read-only
max.request.partition.size.limit | int | 2000 | read-only
message.max.bytes | int | 1048588 | dynamic
metadata.log.dir | string | null | read-only
metadata.log.max.record.bytes.between.snapshots | long | 20971520 | read-only
min.insync.replicas | int | 1 | dynamic
node.id | int | <none> | read-only
num.io.threads | int | 8 | dynamic
num.network.threads | int | 3 | dynamic
num.partitions | int | 1 | read-only
num.recovery.threads.per.data.dir | int | 2 | dynamic
num.replica.fetchers | int | 1 | dynamic
offset.metadata.max.bytes | int | 4096 | read-only
offsets.commit.timeout.ms | int | 5000 | read-only
offsets.load.buffer.size | int | 5242880 | read-only
offsets.retention.check.interval.ms | long | 600000 | read-only
offsets.retention.minutes | int | 10080 | read-only
offsets.topic.num.partitions | int | 50 | read-only
offsets.topic.replication.factor | short | 3 | read-only
offsets.topic.segment.bytes | int | 104857600 | read-only
principal.builder.class | class | org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder | dynamic
process.roles | list | <none> | read-only
producer.id.expiration.ms | int | 86400000 | dynamic
queued.max.request.bytes | long | -1 | read-only
queued.max.requests | int | 500 | read-only
quota.window.num | int | 11 | read-only
quota.window.size.seconds | int | 1 | read-only
replica.fetch.backoff.ms | int | 1000 | read-only
replica.fetch.max.bytes | int | 1048576 | read-only
replica.fetch.min.bytes | int | 1 | read-only
replica.fetch.response.max.bytes | int | 10485760 | read-only
replica.fetch.wait.max.ms | int | 500 | read-only
replica.high.watermark.checkpoint.interval.ms | long | 5000 | read-only
replica.lag.time.max.ms | long | 30000 | read-only
replica.selector.class | string | null | read-only
request.timeout.ms | int | 30000 | read-only
sasl.enabled.mechanisms | list | GSSAPI | dynamic
sasl.mechanism.inter.broker.protocol | string | GSSAPI | dynamic
sasl.server.max.receive.size | int | 524288 | read-only
security.inter.broker.protocol | string | PLAINTEXT | read-only
share.coordinator.state.topic.min.isr | short | 2 | read-only
share.coordinator.state.topic.num.partitions | int | 50 | read-only
share.coordinator.state.topic.replication.factor | short | 3 | read-only
socket.listen.backlog.size | int | 50 | read-only
socket.receive.buffer.bytes | int | 102400 | read-only
socket.request.max.bytes | int | 104857600 | read-only
socket.send.buffer.bytes | int | 102400 | read-only
ssl.client.auth | string | none | dynamic
ssl.key.password | password | null | dynamic
ssl.keystore.certificate.chain | password | null | dynamic
ssl.keystore.key | password | null | dynamic
ssl.keystore.location | string | null | dynamic
ssl.keystore.password | password | null | dynamic
ssl.keystore.type | string | JKS | dynamic
ssl.truststore.certificates | password | null | dynamic
ssl.truststore.location | string | null | dynamic
ssl.truststore.password | password | null | dynamic
ssl.truststore.type | string | JKS | dynamic
transaction.abort.timed.out.transaction.cleanup.interval.ms | int | 10000 | read-only
transaction.max.timeout.ms | int | 900000 | read-only
transaction.partition.verification.enable | boolean | true | dynamic
transaction.remove.expired.transaction.cleanup.interval.ms | int | 3600000 | read-only
transaction.state.log.min.isr | int | 2 | read-only
transaction.state.log.num.partitions | int | 50 | read-only
transaction.state.log.replication.factor | short | 3 | read-only
transaction.state.log.segment.bytes | int | 104857600 | read-only
transactional.id.expiration.ms | int | 604800000 | read-only
unclean.leader.election.enable | boolean | false | dynamic
`
