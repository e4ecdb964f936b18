/**
 * Numbers in a format, by modifier:
 *
 *   none, {ascii}                        decimal
 *   {hex}  {hex64} {hex32} {hex16} {hex8}    hexadecimal, as short as it goes or 16, 8, 4, 2 digits
 *   {big64} {big32} {big16} {big8} {byte}    bytes, most significant first
 *   {little64} {little32} {little16} {little8}
 *
 * Two's complement; higher bits are cut.
 */

import { BadValue } from '../values.ts'
import type { ByteWriter } from './byte-writer.ts'

export type NumberWriter = (out: ByteWriter, value: number | bigint) => void

/** The writer for `token` with a modifier. Throws BadValue for one it does not have. */
export function numberWriter(token: string, modifier: string | null): NumberWriter {
  if (modifier === null || modifier === 'ascii') return (out, value) => out.integer(value)
  if (modifier === 'hex') return (out, value) => out.ascii(value.toString(16))
  if (modifier === 'byte') return bytesOf(1, true)
  const [, kind, bits] = /^(hex|big|little)(64|32|16|8)$/.exec(modifier) ?? []
  const size = Number(bits) / 8
  if (kind === 'big') return bytesOf(size, true)
  if (kind === 'little') return bytesOf(size, false)
  if (kind === 'hex') {
    return (out, value) =>
      out.ascii(
        BigInt.asUintN(size * 8, BigInt(value))
          .toString(16)
          .padStart(size * 2, '0'),
      )
  }
  throw new BadValue(
    `${token} with {ascii}, {hex}, {hex8..64}, {big8..64}, {little8..64} or {byte}, not {${modifier}}`,
  )
}

function bytesOf(size: number, isBig: boolean): NumberWriter {
  return (out, value) => {
    const bits = BigInt.asUintN(64, BigInt(value))
    for (let index = 0; index < size; index++) {
      const shift = BigInt(8 * (isBig ? size - 1 - index : index))
      out.byte(Number((bits >> shift) & 0xffn))
    }
  }
}
