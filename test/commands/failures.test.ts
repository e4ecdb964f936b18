/** What was thrown -> exit code, name and words. */

import { failureText } from '../../cli/errors.ts'
import { CommandError, exitOfItems } from '../../commands/command.ts'
import { failureOf } from '../../commands/failures.ts'
import { DecodeError, KafkaError } from '../../lib/base/errors.ts'
import { UnavailableError } from '../../lib/client/errors.ts'
import { assert, suite } from '../support/suite.ts'

const test = suite('failures')

test('each kind of error has its exit code', () => {
  const cases: [unknown, number, string][] = [
    [new KafkaError('UNKNOWN_TOPIC_OR_PARTITION'), 3, 'UNKNOWN_TOPIC_OR_PARTITION'],
    [new KafkaError('GROUP_ID_NOT_FOUND'), 3, 'GROUP_ID_NOT_FOUND'],
    [new KafkaError('MESSAGE_TOO_LARGE'), 4, 'MESSAGE_TOO_LARGE'],
    [new KafkaError('INVALID_RECORD'), 4, 'INVALID_RECORD'],
    [new KafkaError('REQUEST_TIMED_OUT'), 5, 'REQUEST_TIMED_OUT'],
    [new KafkaError('LEADER_NOT_AVAILABLE'), 5, 'LEADER_NOT_AVAILABLE'],
    [new KafkaError('UNKNOWN_SERVER_ERROR'), 5, 'UNKNOWN_SERVER_ERROR'],
    [new KafkaError('TOPIC_ALREADY_EXISTS'), 6, 'TOPIC_ALREADY_EXISTS'],
    [new KafkaError('TOPIC_AUTHORIZATION_FAILED'), 6, 'TOPIC_AUTHORIZATION_FAILED'],
    [new KafkaError('POLICY_VIOLATION'), 6, 'POLICY_VIOLATION'],
    [new KafkaError(999), 6, 'ERROR_999'],
    [new UnavailableError('cannot reach a:1: connection refused (2 tries)'), 5, 'UNAVAILABLE'],
    [new DecodeError('frame of -1 bytes'), 5, 'UNAVAILABLE'],
    [new CommandError(2, 'x'), 2, 'USAGE'],
    [new CommandError(1, 'x'), 1, 'NO'],
    [Object.assign(new Error('x'), { code: 'EIO', syscall: 'read', path: '/f' }), 5, 'UNAVAILABLE'],
    [new TypeError('x is not a function'), 70, 'BUG'],
    ['a text', 70, 'BUG'],
  ]
  for (const [thrown, exit, name] of cases) {
    const failure = failureOf(thrown)
    assert.equal([failure.exit, failure.name], [exit, name], String(thrown))
  }
})

test('two lines for people, one object for programs', () => {
  const failure = failureOf(
    new CommandError(3, 'no such topic "ordres"', 'did you mean "orders"?', {
      details: { name: 'UNKNOWN_TOPIC_OR_PARTITION', topic: 'ordres' },
    }),
  )
  assert.is(
    failureText('ottla topic describe', failure, false),
    'ottla topic describe: no such topic "ordres"\n  did you mean "orders"?\n',
  )
  assert.equal(JSON.parse(failureText('ottla', failure, true)), {
    error: {
      exit: 3,
      name: 'UNKNOWN_TOPIC_OR_PARTITION',
      message: 'no such topic "ordres"',
      hint: 'did you mean "orders"?',
      topic: 'ordres',
    },
  })
})

test('several items: the code they share, or 7', () => {
  assert.is(exitOfItems([]), 0)
  assert.is(exitOfItems([0, 0]), 0)
  assert.is(exitOfItems([3, 3]), 3)
  assert.is(exitOfItems([0, 3]), 7)
  assert.is(exitOfItems([3, 6]), 7)
})
