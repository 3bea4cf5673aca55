import { describe, expect, it } from 'vitest';
import { sharedClock, systemClock } from '../src/clock.ts';

describe('the clock that processes on one database share', () => {
  it('takes over the time of a database that is ahead of this machine', async () => {
    const base = systemClock();
    const clock = sharedClock(base, async () => Date.now() + 90_000);
    await clock.agree();
    expect(clock.now() - base.now()).toBeGreaterThan(89_000);
    expect(clock.now() - base.now()).toBeLessThan(91_000);
  });

  it('keeps its own time where the database has none but ours', async () => {
    const clock = sharedClock(systemClock(), async () => undefined);
    expect(await clock.agree()).toBe(0);
  });

  it('leaves time that the sandbox has moved on where it is', async () => {
    const base = systemClock(3_600_000);
    const clock = sharedClock(base, async () => Date.now());
    await clock.agree();
    expect(Math.abs(clock.now() - base.now())).toBeLessThan(1_000);
  });

  it('keeps the last offset when the database does not answer', async () => {
    let down = false;
    const clock = sharedClock(systemClock(), async () => {
      if (down) throw new Error('down');
      return Date.now() + 90_000;
    });
    await clock.agree();
    down = true;
    await expect(clock.agree()).rejects.toThrow('down');
    expect(clock.now() - Date.now()).toBeGreaterThan(89_000);
  });
});
