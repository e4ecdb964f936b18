/**
 * ApiVersions (18), served v0-4: what this broker serves, from the registry of handlers.
 * v1 throttleTimeMs; v3 flexible body (the header never is), the client's name and version, features;
 * v4 features whose minimum is 0 may be told of (KAFKA-17492). A version beyond these is answered by
 * dispatch.ts. No feature is finalized: above all not transaction.version 2, which would make clients
 * enlist partitions implicitly.
 * Yields INVALID_REQUEST for a client name or version that is not of letters, digits, '-' and '.'.
 */

import { errorCode } from '../../base/errors.ts'
import { ApiVersions } from '../../protocol/apis/api-versions.ts'
import { handle } from '../handler.ts'

const softwarePattern = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/
/** Longer names are taken for garbage before a pattern looks at them. */
const softwareMaxLength = 256

export const apiVersions = handle(ApiVersions, (broker, request, { apiVersion, session }) => {
  const { clientSoftwareName, clientSoftwareVersion } = request
  if (apiVersion >= 3) {
    const isGood = [clientSoftwareName, clientSoftwareVersion].every(
      (text) => text.length <= softwareMaxLength && softwarePattern.test(text),
    )
    if (!isGood) return { errorCode: errorCode('INVALID_REQUEST') }
    session.clientSoftwareName = clientSoftwareName
    session.clientSoftwareVersion = clientSoftwareVersion
  }
  return { apiKeys: broker.servedApis }
})
