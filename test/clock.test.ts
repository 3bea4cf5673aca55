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

describe('a clock that was set back while nothing ran', () => {
  const machineAt = (at: { wall: number; monotonic: number }) =>
    systemClock(0, { wall: () => at.wall, monotonic: () => at.monotonic });
  const noServer = () => Promise.resolve(undefined);

  it('goes on from the newest event, so that no grant lasts longer for it', () => {
    const machine = { wall: 1_000_000, monotonic: 0 };
    const base = machineAt(machine);
    const clock = sharedClock(base, noServer);
    expect(clock.notBefore(8_200_000)).toBe(7_200_000);
    expect(clock.now()).toBe(8_200_000);
    machine.wall += 1_000;
    machine.monotonic += 1_000;
    expect(clock.now()).toBe(8_201_000);
    // Somebody puts the clock right.
    machine.wall += 7_200_000;
    expect(clock.now()).toBe(8_201_000);
    machine.wall += 5_000;
    machine.monotonic += 5_000;
    expect(clock.now()).toBe(8_206_000);
  });

  it.each([
    ['there is no event', 0],
    ['the newest event is older', 999_000],
    ['the newest event is ahead by less than clocks differ anyway', 1_001_500],
  ])('takes the time of the machine when %s', (_, at) => {
    const clock = sharedClock(machineAt({ wall: 1_000_000, monotonic: 0 }), noServer);
    expect(clock.notBefore(at)).toBe(0);
    expect(clock.now()).toBe(1_000_000);
  });
});
