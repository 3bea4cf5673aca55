/** The form and the home tab as a person in a journey has them in front of them. */
import { blocksOf, elementsIn, textOf } from '../../src/sandbox/slack-reading.ts';
import type { Fields, SlackView } from '../../src/sandbox/slack-state.ts';
import { type Journey, PEOPLE } from './journey.ts';

type Name = keyof typeof PEOPLE;
const WAIT_MS = 8_000;

export function textOfView(view: SlackView): string {
  return textOf(view.view);
}

/** The person's open dialog once it says this; `unlike` is one they have seen already. */
export function dialog(journey: Journey, name: Name, words: RegExp, unlike?: SlackView): Promise<SlackView> {
  return journey.slack.waitFor(
    (state) =>
      state.views.find(
        (view) =>
          view.user === PEOPLE[name].slack &&
          view.type === 'modal' &&
          view.state === 'open' &&
          view.hash !== unlike?.hash &&
          words.test(textOfView(view)),
      ),
    WAIT_MS,
    `a dialog of ${name} that says ${words}`,
  );
}

/** The person's home tab once it says this, and, if given, no longer that. */
export function homeTab(journey: Journey, name: Name, words: RegExp, not?: RegExp): Promise<SlackView> {
  return journey.slack.waitFor(
    (state) =>
      state.views.find(
        (view) =>
          view.user === PEOPLE[name].slack &&
          view.type === 'home' &&
          words.test(textOfView(view)) &&
          not?.test(textOfView(view)) !== true,
      ),
    WAIT_MS,
    `the home tab of ${name} saying ${words}`,
  );
}

/** The element of a dialog whose action id ends so. */
export function field(view: SlackView, actionId: string): Fields {
  for (const block of blocksOf(view.view))
    for (const element of elementsIn(block)) if (String(element.action_id).endsWith(actionId)) return element;
  throw new Error(`there is no ${actionId} in: ${textOfView(view)}`);
}

/** The errors with which a dialog was sent back. */
export function errorsIn(reply: { readonly body: unknown }): Readonly<Record<string, string>> {
  const body = (typeof reply.body === 'object' && reply.body !== null ? reply.body : {}) as Fields;
  return (body.errors ?? {}) as Readonly<Record<string, string>>;
}
