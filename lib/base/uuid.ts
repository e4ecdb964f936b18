/**
 * Uuids as Kafka prints them: 16 bytes in 22 characters of URL-safe base64 without padding.
 * The zero uuid means "none". Source: apache/kafka: clients/.../common/Uuid.java.
 */

/** The uuid that means "none". */
export const zeroUuid = 'AAAAAAAAAAAAAAAAAAAAAA'

/** 16 bytes -> 22 characters. */
export function uuidFromBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}

/** 22 characters -> 16 bytes; null when `text` is not such a uuid. */
export function uuidToBytes(text: string): Uint8Array | null {
  if (!/^[A-Za-z0-9_-]{22}$/.test(text)) return null
  const bytes = Buffer.from(text, 'base64url')
  return bytes.length === 16 ? bytes : null
}

/**
 * A fresh version 4 uuid from 16 random bytes. Never one that starts with '-', which a shell would
 * take for an option; Kafka avoids those too.
 */
export function randomUuid(drawBytes: (count: number) => Uint8Array): string {
  for (let attempt = 0; attempt < 100; attempt++) {
    const bytes = Uint8Array.from(drawBytes(16))
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
    const text = uuidFromBytes(bytes)
    if (!text.startsWith('-')) return text
  }
  throw new Error('no usable uuid in 100 attempts: the source of randomness is broken')
}
