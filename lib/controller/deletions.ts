/**
 * A broker's part in the deletion of topics: once it has followed an image in which a topic is
 * deleting, it holds no replica of it any more and says so; when all have said so the controller
 * erases the topic's last keys. Told again after each change, so a report that got lost is only late.
 */

import type { BrokerId } from '../base/types.ts'
import type { Env } from '../io/env.ts'
import type { MetadataFollower } from '../metadata/follower.ts'
import type { ClusterImage } from '../metadata/image.ts'
import type { Revision } from '../metadata/store.ts'
import type { Controller } from './controller.ts'

export interface DeletionOptions {
  readonly env: Env
  readonly follower: MetadataFollower
  readonly controller: Controller
  readonly brokerId: BrokerId
  /** Resolves when the replicas of this broker have followed the image of this revision. */
  readonly whenApplied: (revision: Revision) => Promise<void>
}

/** Reports now and after each image with deletions under way, until the returned function is called. */
export function reportDeletions(options: DeletionOptions): () => void {
  const { env, follower, controller, brokerId, whenApplied } = options
  let isReporting = false
  let isStopped = false

  const report = async (): Promise<void> => {
    for (;;) {
      const { image } = follower
      const deleting = deletingTopics(image)
      if (deleting.length === 0 || isStopped || !controller.isActive) return
      await whenApplied(image.revision)
      await controller.reportDropped(brokerId, deleting)
      // Nothing new to say until the image changes again.
      if (follower.image.revision === image.revision) return
    }
  }
  const onImage = (): void => {
    if (isReporting || isStopped) return
    isReporting = true
    void report()
      .catch((error: unknown) => env.log.warn('deletion.report_failed', { error: String(error) }))
      .finally(() => {
        isReporting = false
      })
  }
  const unsubscribe = follower.subscribe((image, before) => {
    if (image.topicIds !== before.topicIds) onImage()
  })
  onImage()
  return () => {
    isStopped = true
    unsubscribe()
  }
}

function deletingTopics(image: ClusterImage): string[] {
  const found: string[] = []
  for (const { topicId, state } of image.topicIds.values()) {
    if (state === 'deleting') found.push(topicId)
  }
  return found
}
