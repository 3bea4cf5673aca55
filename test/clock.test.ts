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

describe("this machine's clock", () => {
  function machine() {
    const time = { wall: 1_700_000_000_000, monotonic: 0 };
    const pass = (ms: number) => {
      time.wall += ms;
      time.monotonic += ms;
    };
    return { time, pass, clock: systemClock(0, { wall: () => time.wall, monotonic: () => time.monotonic }) };
  }

  it('goes on at the old time when it is set back, so that no end comes late', () => {
    const { time, pass, clock } = machine();
    const steps: number[] = [];
    clock.onStepBack = (byMs) => steps.push(byMs);
    const start = clock.now();
    pass(60_000);
    time.wall -= 3_600_000;
    expect(clock.now()).toBe(start + 60_000);
    pass(60_000);
    expect(clock.now()).toBe(start + 120_000);
    expect(steps).toEqual([3_600_000]);
  });

  it('takes over the right time when it was set back and is set right again', () => {
    const { time, pass, clock } = machine();
    const start = clock.now();
    time.wall -= 3_600_000;
    expect(clock.now()).toBe(start);
    time.wall += 3_600_000;
    pass(1_000);
    expect(clock.now()).toBe(start + 1_000);
  });

  it('follows at once when it is set forward', () => {
    const { time, clock } = machine();
    const start = clock.now();
    time.wall += 3_600_000;
    expect(clock.now()).toBe(start + 3_600_000);
  });

  it('is not disturbed by being slewed', () => {
    const { time, pass, clock } = machine();
    const start = clock.now();
    for (let second = 0; second < 100; second++) {
      pass(1_000);
      time.wall -= 1;
    }
    expect(clock.now()).toBe(start + 99_900);
  });
});
