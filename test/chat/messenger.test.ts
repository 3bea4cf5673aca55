/** Slack and Teams, held to the same promises. */
import { boltLogger } from '../../src/chat/slack/log.ts';
import { createMessenger } from '../../src/chat/slack/messenger.ts';
import { createWeb } from '../../src/chat/slack/web.ts';
import { type Fault, type MessengerUnderTest, messengerContract } from '../contracts/messenger.ts';
import { type ApiAnswer, clock, metrics, NOW, quiet, requestView, startFakeApi } from './slack-support.ts';
import { ANA, type Answer, CHANNEL, deliver, startConnector, startTeams, TENANT, typed } from './teams-support.ts';

const DEADLINE_MS = 300;

const slack: MessengerUnderTest = {
  name: 'Slack',
  platform: 'slack',
  person: { account: { platform: 'slack', tenant: 'T1', id: 'UANA' } },
  channel: { conversation: 'C1' },
  async open() {
    const api = await startFakeApi();
    const usual = api.answer['chat.postMessage'];
    const web = createWeb({
      botToken: 'xoxb-1',
      apiUrl: api.url,
      clock,
      metrics,
      boltLogger: boltLogger(quiet),
      deadlineMs: DEADLINE_MS,
    });
    const { messenger } = createMessenger({
      web,
      clock,
      metrics,
      zone: () => 'UTC',
      commandWord: '/access',
      wallClock: () => NOW,
      botUser: () => 'UBOT',
    });
    const faults: Record<Exclude<Fault, 'none'>, ApiAnswer> = {
      busy: { http: 429, ok: false },
      'busy for 7 s': { http: 429, ok: false, headers: { 'retry-after': '7' } },
      down: { http: 503 },
      silent: 'hang',
      closed: { ok: false, error: 'not_in_channel' },
      unauthorized: { ok: false, error: 'token_revoked' },
      gone: { ok: false, error: 'message_not_found' },
    };
    return {
      messenger,
      answer(fault) {
        for (const method of ['chat.postMessage', 'chat.update'])
          if (fault !== 'none') api.answer[method] = () => faults[fault];
          else if (usual !== undefined) api.answer[method] = usual;
      },
      received: () =>
        api.calls.filter(({ method }) => method.startsWith('chat.')).map(({ args }) => JSON.stringify(args)),
      close: () => api.close(),
    };
  },
};

const teams: MessengerUnderTest = {
  name: 'Teams',
  platform: 'teams',
  person: { account: { platform: 'teams', tenant: TENANT, id: ANA } },
  channel: { conversation: CHANNEL },
  async open() {
    const connector = await startConnector();
    const { teams: bot } = startTeams({ connector, callDeadlineMs: DEADLINE_MS });
    // Until something has come from Teams it is not known where it is.
    await deliver(bot, typed(connector.url, '', { type: 'conversationUpdate', text: undefined }));
    const faults: Record<Exclude<Fault, 'none'>, Answer | 'hang'> = {
      busy: { status: 429 },
      'busy for 7 s': { status: 429, headers: { 'retry-after': '7' } },
      down: { status: 503 },
      silent: 'hang',
      closed: { status: 403, body: { error: { code: 'BotNotInConversationRoster' } } },
      unauthorized: { status: 401 },
      gone: { status: 404, body: { error: { code: 'ActivityNotFoundInConversation' } } },
    };
    return {
      messenger: bot.messenger,
      answer(fault) {
        connector.respond = () => (fault === 'none' ? undefined : faults[fault]);
      },
      received: () => connector.calls.map(({ method, path, body }) => JSON.stringify([method, path, body])),
      close: () => connector.close(),
    };
  },
};

for (const subject of [slack, teams])
  messengerContract(subject, { kind: 'request', audience: 'channel', request: requestView() });
