// Steady load from a process of its own, which is not held up by whoever measures, and may run on another host:
//   node scripts/load-process.mjs '{"proxy":"127.0.0.1:20002","authority":"reviews:9080","perSecond":200}'
// A line of JSON on stdout every 50 ms and a last one at the end: what was sent, answered and lost so far. Ends when its
// stdin does.
import { startLoad } from './load.mjs';

const REPORT_MS = 50;

const load = startLoad(JSON.parse(process.argv[2] ?? '{}'));
const startedAt = Date.now();

function report() {
  const { sent, failed, failures, byBackend, byInstance, lastSeenMs } = load.result;
  const answers = [...byBackend.values()].reduce((sum, count) => sum + count, 0);
  const lastAnswerAt = Math.round(performance.timeOrigin + Math.max(Number.NEGATIVE_INFINITY, ...lastSeenMs.values()));
  const line = { startedAt, sent, answers, failed, failures, lastAnswerAt, byInstance: Object.fromEntries(byInstance) };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const timer = setInterval(report, REPORT_MS);
process.stdin.resume();
process.stdin.once('end', () => {
  clearInterval(timer);
  void load.stop().then(report);
});
