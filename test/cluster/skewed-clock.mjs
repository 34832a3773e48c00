// For `node --import`: the wall clock of this process is KUBESENTRY_TEST_SKEW_MS off. Timers and clocks that only go
// forward stay as they are.
const RealDate = Date;
const skew = Number(process.env.KUBESENTRY_TEST_SKEW_MS ?? 0);

globalThis.Date = class extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(RealDate.now() + skew);
    else super(...parts);
  }

  static now() {
    return RealDate.now() + skew;
  }
};
