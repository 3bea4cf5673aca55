/** Which messages are worth posting for the first time. Those already posted always follow what changes. */
import type { MessageView } from './view.ts';

/**
 * A card for approvers is only started while it can be answered, and a holder's or warning message while the grant
 * runs: after an outage of the chat platform nobody wants a procession of messages about what is over. What was decided
 * is said once, in the requester's own message or in `outcome`.
 */
export function actionableMessage(view: MessageView): boolean {
  if (view.kind !== 'request') return true;
  const { request } = view;
  switch (view.audience) {
    case 'channel':
    case 'requester':
    case 'outcome':
      return true;
    case 'approver':
      // Those who were not asked hear of what was taken without them.
      return request.state === 'pending' || (request.breakGlass === true && request.grant?.state !== 'ended');
    case 'holder':
    case 'warning':
      return request.grant?.state === 'active';
  }
}
