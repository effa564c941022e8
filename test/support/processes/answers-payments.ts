import { readConfig } from '../../../system/config.ts';
import { serve } from '../../../system/rpc/server.ts';
import { startRuntime } from '../../../system/runtime.ts';
import { inSpan } from '../../../system/telemetry/spans.ts';

const runtime = await startRuntime(readConfig());
await serve(runtime, 'payment', {
  charge: ({ orderId }) => inSpan(runtime, 'charge', async () => ({ orderId, status: 'PAID' })),
  async get() {
    // Outside of the call, so that nobody can catch it.
    setImmediate(() => {
      throw new Error('nobody caught this');
    });
    return {};
  },
});
