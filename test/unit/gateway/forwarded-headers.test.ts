import type { FastifyRequest } from "fastify";
import { describe, expect, test } from "vitest";
import { answerHeaders, requestHeaders, requestPath } from "../../../src/gateway/forwarded-headers.ts";

describe("a request on its way to an executor", () => {
  const sent = {
    accept: "application/json",
    "idempotency-key": "once",
    "last-event-id": "7",
    range: "bytes=0-3",
    host: "gateway.example",
    "x-api-key": "secret",
    authorization: "Bearer secret",
    cookie: "key=secret",
    origin: "https://gateway.example",
    connection: "keep-alive, x-of-this-hop",
    "x-of-this-hop": "1",
    "keep-alive": "timeout=5",
    te: "trailers",
    "transfer-encoding": "chunked",
    upgrade: "h2c",
    expect: "100-continue",
    forwarded: "for=192.0.2.66",
    "x-real-ip": "192.0.2.66",
    "x-forwarded-for": "192.0.2.66",
    "x-forwarded-host": "evil.example",
    "x-forwarded-prefix": "/evil",
  };
  const request = { headers: sent, ip: "198.51.100.1", protocol: "https", host: "gateway.example" } as unknown as FastifyRequest;
  const passed = { accept: "application/json", "idempotency-key": "once", "last-event-id": "7", range: "bytes=0-3" };
  const said = { "x-forwarded-for": "198.51.100.1", "x-forwarded-proto": "https", "x-forwarded-host": "gateway.example" };

  test("keeps what is the client's word, loses its keys and what was for one hop, and says who it is from", () => {
    expect(requestHeaders(request, false)).toEqual({ ...passed, ...said, host: "gateway.example" });
  });

  test("names the executor where that has a certificate to be checked", () => {
    expect(requestHeaders(request, true)).toEqual({ ...passed, ...said });
  });

  test.each([
    ["/a?x=1&token=secret", "/a?x=1"],
    ["/a?token=secret&session_id=s%20t", "/a?session_id=s%20t"],
    ["/a?%74ok%65n=secret", "/a"],
    ["/a?tokens=1&x=token", "/a?tokens=1&x=token"],
    ["/a%3Ftoken=1", "/a%3Ftoken=1"],
    ["/a", "/a"],
  ])("carries no key in its path: %s", (url, path) => {
    expect(requestPath(url)).toBe(path);
  });

  test.each([
    ["http://evil.example/api/kernels/k/channels?x=1", "/api/kernels/k/channels?x=1"],
    ["https://evil.example:8000/a?token=secret", "/a"],
    ["HTTP://user@evil.example?x=/a", "/?x=/a"],
    ["http://evil.example", "/"],
    ["/a?next=http://evil.example/b", "/a?next=http://evil.example/b"],
  ])("carries no host in its path: %s", (url, path) => {
    expect(requestPath(url)).toBe(path);
  });
});

test("an answer loses what was for one hop only", () => {
  const headers = { connection: "close, x-hop", "x-hop": "1", "transfer-encoding": "chunked", etag: '"1"', "content-type": "text/plain" };
  expect(answerHeaders(headers)).toEqual({ etag: '"1"', "content-type": "text/plain" });
});
