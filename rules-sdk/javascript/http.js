// Requests to servers that the settings name. Wants `http`.
import * as http from "saker:rules/http@0.1.0";

/** Queues a request, and gives the number that `response` will have; throws if it is refused. */
export const submit = (method, url, headers = [], body = new Uint8Array()) =>
  http.submit({ method, url, headers, body });
