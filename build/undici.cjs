/** What of undici is used: its client. The whole package has fetch, WebSocket, caches and mocks beside it. */
const Agent = require('undici/lib/dispatcher/agent.js');
const Dispatcher = require('undici/lib/dispatcher/dispatcher.js');
const buildConnector = require('undici/lib/core/connect.js');
const api = require('undici/lib/api/index.js');

Object.assign(Dispatcher.prototype, api);

/** For who names no dispatcher. */
const common = new Agent();

function request(address, { dispatcher = common, ...options } = {}) {
  const { origin, pathname, search } = new URL(address);
  const method = options.body ? 'PUT' : 'GET';
  return dispatcher.request({ method, ...options, origin, path: pathname + search });
}

module.exports = { Agent, buildConnector, request };
