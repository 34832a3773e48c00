import type { ReviewAnswer } from './admission/answer.ts';
import type { Handler } from './server.ts';
import type { Tracer } from './trace.ts';

/** The same handlers, each in a span of its own that continues the caller's trace; the very same without a tracer. */
export function tracedRoutes(
  routes: Readonly<Record<string, Handler>>,
  tracer: Tracer | undefined,
): Readonly<Record<string, Handler>> {
  if (!tracer) return routes;
  const entries = Object.entries(routes).map(([path, handle]): [string, Handler] => [
    path,
    (request) =>
      tracer.span(
        `POST ${path}`,
        {
          isServer: true,
          parent: request.headers.traceparent as string | undefined,
          attributes: { 'http.request.method': 'POST', 'http.route': path },
          outcome: ({ status, body }) => ({ 'http.response.status_code': status, ...verdictIn(body) }),
        },
        () => handle(request),
      ),
  ]);
  return Object.fromEntries(entries);
}

/** The log tells of the same review by this uid. */
function verdictIn(body: object): Record<string, string | boolean> {
  const { response } = body as Partial<ReviewAnswer>;
  return response ? { 'kubesentry.review': response.uid, 'kubesentry.allowed': response.allowed } : {};
}
