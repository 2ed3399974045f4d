import { describe, expect, test } from "bun:test";

import {
  callModel,
  endpointsFor,
  providerFor,
  realDeps,
  splitReasoning,
} from "../../scripts/distillation/replay.ts";
import type { CallOptions, Deps, ModelTarget } from "../../scripts/distillation/replay.ts";
import { answered, completion, gateway, jsonl } from "./support.ts";

const PROMPT = { system: "system", user: "user" };
const OPTIONS: Omit<CallOptions, "target"> = {
  prompt: PROMPT,
  sampling: { maxTokens: 1500, temperature: 0.1, seed: null },
  timeoutMs: 5000,
  maxRetries: 2,
};

const target = (fields: Partial<ModelTarget> = {}): ModelTarget => ({
  role: "local",
  model: "m",
  baseUrl: "http://127.0.0.1:9",
  key: null,
  ...fields,
});

/** Real dependencies, but the pauses are noted instead of waited for. */
function impatient(fields: Partial<Deps> = {}): Deps & { waits: number[] } {
  const waits: number[] = [];
  const sleep = async (ms: number): Promise<void> => void waits.push(ms);
  return { ...realDeps(), sleep, random: () => 0, waits, ...fields };
}

const ask = (
  url: string,
  fields: Partial<ModelTarget> = {},
  options: Partial<CallOptions> = {},
  deps: Deps = impatient(),
) => callModel({ ...OPTIONS, ...options, target: target({ baseUrl: url, ...fields }) }, deps);

describe("providerFor", () => {
  test.each([
    ["qwen3.5:latest", "ollama"],
    ["anthropic/some-model", "openrouter"],
    ["kimi-k2", "ollama_cloud"],
    ["qwen3-coder:480b", "ollama_cloud"],
    ["deepseek-v3.1:671b", "ollama_cloud"],
    ["mistral-large-3", "ollama_cloud"],
    ["gpt-oss:120b", "ollama_cloud"],
    ["gpt-oss:20b", "ollama"],
    ["qwen3.5:397b", "ollama_cloud"],
    ["my-kimi-k2", "ollama"],
  ] as const)("routes %s to %s", (model, provider) => {
    expect(providerFor(model)).toBe(provider);
  });
});

describe("endpointsFor", () => {
  test.each([
    ["http://h:3100", ["http://h:3100/v1/chat +provider", "http://h:3100/v1/chat/completions"]],
    ["http://h:3100/", ["http://h:3100/v1/chat +provider", "http://h:3100/v1/chat/completions"]],
    ["http://h/v1", ["http://h/v1/chat/completions"]],
    ["http://h/v1/", ["http://h/v1/chat/completions"]],
    ["https://h/api/v1", ["https://h/api/v1/chat/completions"]],
    ["http://h/v1/chat", ["http://h/v1/chat +provider"]],
    ["http://h/v1/chat/completions", ["http://h/v1/chat/completions"]],
    ["http://h/other/chat", ["http://h/other/chat"]],
    ["http://h/proxy", ["http://h/proxy/v1/chat +provider", "http://h/proxy/v1/chat/completions"]],
  ])("completes %s by its path", (baseUrl, expected) => {
    const endpoints = endpointsFor(target({ baseUrl }));
    expect(endpoints.map(({ url, sendsProvider }) => url + (sendsProvider ? " +provider" : ""))).toEqual(
      expected,
    );
  });

  test("keeps a key in the query out of the name", () => {
    const [endpoint] = endpointsFor(target({ baseUrl: "https://h/v1?api-key=AbCdSecret" }));
    expect(endpoint).toMatchObject({
      url: "https://h/v1/chat/completions?api-key=AbCdSecret",
      name: "https://h/v1/chat/completions",
    });
  });

  test("takes a stray percent sign in credentials as it stands", () => {
    const [endpoint] = endpointsFor(target({ baseUrl: "http://user:100%@h/v1" }));
    expect(endpoint!.authorization).toBe(`Basic ${btoa("user:100%")}`);
  });

  test.each(["user:se-cret@host", "htp://user:se-cret@host", "http://user:se/cret@"])(
    "does not print the secret in %j",
    (baseUrl) => {
      expect(() => endpointsFor(target({ baseUrl }))).toThrow(
        "LH_GATEWAY_URL: its value is not an http(s) URL.",
      );
    },
  );

  test("falls back to Ollama's port for the default only", () => {
    const urls = endpointsFor(target({ baseUrl: null, key: "secret-key" })).map(({ url, authorization }) => [
      url,
      authorization,
    ]);
    expect(urls).toEqual([
      ["http://localhost:3100/v1/chat", "Bearer secret-key"],
      ["http://localhost:3100/v1/chat/completions", "Bearer secret-key"],
      ["http://localhost:11434/v1/chat/completions", null],
    ]);
  });

  test("moves credentials from the URL into a header", () => {
    expect(endpointsFor(target({ baseUrl: "http://user:p%40ss@h/v1" }))).toEqual([
      {
        url: "http://h/v1/chat/completions",
        name: "http://h/v1/chat/completions",
        sendsProvider: false,
        authorization: `Basic ${btoa("user:p@ss")}`,
      },
    ]);
  });

  test.each(["sk-a\nb", "sk-ü", "sk a"])("refuses the key %j, which no header can carry", (key) => {
    expect(() => endpointsFor(target({ key }))).toThrow("LH_GATEWAY_KEY: holds white space or a character");
  });

  test.each([
    ["http://localhost:99999", 'the port in "http://localhost:99999" is above 65535.'],
    ["https://h:65536/v1", 'the port in "https://h:65536/v1" is above 65535.'],
    ["http://user:se-cret@h:99999/v1", "the port in its value is above 65535."],
    ["http://user:123456/se-cret@h", "the port in its value is above 65535."],
  ])("says of %j that it is the port", (baseUrl, expected) => {
    expect(() => endpointsFor(target({ baseUrl }))).toThrow(`LH_GATEWAY_URL: ${expected} Write the one`);
  });

  test.each(["localhost:3100", "ftp://h", "", "http://"])(
    "refuses %j, which is no http(s) URL",
    (baseUrl) => {
      expect(() => endpointsFor(target({ baseUrl }))).toThrow("is not an http(s) URL");
    },
  );
});

describe("callModel", () => {
  test("sends the whole request body to a gateway", async () => {
    await using server = gateway(() => completion("fine"));
    await ask(
      server.url,
      { model: "kimi-k2", key: "k-12345678" },
      { sampling: { maxTokens: 9, temperature: 0.5, seed: 4 } },
    );
    expect(server.received).toMatchObject([
      {
        path: "/v1/chat",
        headers: { authorization: "Bearer k-12345678", "content-type": "application/json" },
        body: {
          model: "kimi-k2",
          messages: [
            { role: "system", content: "system" },
            { role: "user", content: "user" },
          ],
          max_tokens: 9,
          temperature: 0.5,
          seed: 4,
          provider: "ollama_cloud",
        },
      },
    ]);
  });

  test("leaves provider and seed out where they do not belong", async () => {
    await using server = gateway(() => completion("fine"));
    await ask(`${server.url}/v1`);
    expect(Object.keys(server.received[0]!.body).sort()).toEqual([
      "max_tokens",
      "messages",
      "model",
      "temperature",
    ]);
  });

  test("records who answered, how and at what cost", async () => {
    await using server = gateway(() => completion("fine", { system_fingerprint: "fp" }));
    const { answer, record } = await ask(server.url);
    expect(answer).toBe("fine");
    expect(record).toEqual({
      role: "local",
      requested_model: "m",
      returned_model: "served-model",
      system_fingerprint: "fp",
      endpoint: `${server.url}/v1/chat`,
      provider: "ollama",
      status: 200,
      retries: 0,
      requests: [
        {
          endpoint: `${server.url}/v1/chat`,
          status: 200,
          wait_ms: 0,
          duration_ms: expect.any(Number),
          error: null,
        },
      ],
      duration_ms: expect.any(Number),
      finish_reason: "stop",
      usage: { prompt_tokens: 400, completion_tokens: 60 },
      prompt_token_estimate: 3,
      prompt_cut: false,
      reasoning_chars: 0,
      error: null,
    });
  });

  test.each([
    ["404 page", () => new Response("404 page not found", { status: 404 })],
    ["405", () => new Response("", { status: 405 })],
    ["LM Studio's 200", () => Response.json({ error: "Unexpected endpoint or method. (POST /v1/chat)" })],
  ])("tries /v1/chat/completions once after a %s", async (_, absent) => {
    await using server = gateway(absent, () => completion("fine"));
    const { answer, record } = await ask(server.url);
    expect(answer).toBe("fine");
    expect(server.received.map(({ path, body }) => [path, "provider" in body])).toEqual([
      ["/v1/chat", true],
      ["/v1/chat/completions", false],
    ]);
    expect(record.retries).toBe(0);
  });

  test("names the server's models where the asked-for one is unknown", async () => {
    const unknown = {
      error: { message: 'model "m" not found, try pulling it first', type: "not_found_error" },
    };
    await using server = gateway(
      () => Response.json(unknown, { status: 404 }),
      () => Response.json({ data: [{ id: "qwen-a" }, { id: "qwen-b" }] }),
    );
    const { record } = await ask(server.url);
    expect(record.error).toBe(
      `POST ${server.url}/v1/chat: HTTP 404: model "m" not found, try pulling it first. The server has qwen-a, qwen-b: choose with --model.`,
    );
    expect(server.received.map(({ path }) => path)).toEqual(["/v1/chat", "/v1/models"]);
  });

  test.each([
    [
      { data: [null, {}, { id: 7 }, { id: "" }, { id: "qwen-a" }] },
      "The server has qwen-a: choose with --escalation-model.",
    ],
    [
      { data: Array.from({ length: 9 }, (_, n) => ({ id: `m${n}` })) },
      "The server has m0, m1, m2, m3, m4, m5, m6, m7: choose with --escalation-model.",
    ],
    [{ data: "qwen-a" }, "Pull the model on the server, or name another with --escalation-model."],
    [["qwen-a"], "Pull the model on the server, or name another with --escalation-model."],
  ])("advises what to take in an unknown model's place where the server lists %j", async (list, advice) => {
    await using server = gateway(
      () => Response.json({ error: 'model "m" not found' }, { status: 404 }),
      () => Response.json(list),
    );
    expect((await ask(server.url, { role: "escalation" })).record.error).toEndWith(`not found. ${advice}`);
  });

  // Every shape in which the known servers report a failure, with what the error line must carry.
  test.each([
    [
      "error object",
      400,
      { error: { message: "bad request", type: "x", code: null } },
      "HTTP 400: bad request",
    ],
    ["error string", 200, { error: "text" }, "HTTP 200: text"],
    ["error array", 400, { error: [{ message: "first" }] }, "HTTP 400: first"],
    ["numeric code", 401, { error: { code: 401, message: "no" } }, "HTTP 401: no. Set LH_GATEWAY_KEY."],
    ["code inside a 200", 200, { error: { code: 402, message: "credits" } }, "HTTP 402: credits"],
    ["string code inside a 200", 200, { error: { code: "403", message: "credits" } }, "HTTP 403: credits"],
    [
      "OpenRouter metadata",
      400,
      { error: { code: 400, message: "Provider returned error", metadata: { raw: "why" } } },
      "error: why",
    ],
    [
      "error inside the choice",
      200,
      { choices: [{ error: { code: 400, message: "mid-way" } }] },
      "HTTP 400: mid-way",
    ],
    ["an empty error", 400, { error: "" }, 'HTTP 400: {"error":""}. Check'],
    ["another code than its status", 401, { error: { code: 404, message: "no" } }, "HTTP 401: no. Set LH"],
    ["a forbidden key", 403, { error: "no" }, "HTTP 403: no. Set LH_GATEWAY_KEY."],
    ["a path that is not there", 404, "", "HTTP 404: no body. Set LH_GATEWAY_URL to the server's chat URL."],
    ["a model that is loading", 400, { error: "the model is loading" }, "loading. Check the server's log."],
    [
      "half of an overflow",
      400,
      { error: { message: "too large", n_prompt_tokens: 9 } },
      "HTTP 400: too large. Check",
    ],
    ["older vLLM", 400, { object: "error", message: "too long" }, "HTTP 400: too long"],
    ["FastAPI", 422, { detail: [{ loc: ["body"] }] }, 'HTTP 422: [{"loc":["body"]}]'],
    ["no choices", 200, { choices: [] }, "the reply holds no choices. Check the server's log."],
    ["no body", 400, "", "HTTP 400: no body"],
    [
      "HTML",
      200,
      "<html><h1>Welcome</h1></html>",
      'the reply is not JSON but a web page ("Welcome"). Check LH_GATEWAY_URL, and whether a proxy or a login stands',
    ],
    ["words", 200, "Welcome", 'the reply is not JSON ("Welcome"). Check the server\'s log.'],
    ["JSON without an end", 422, `{"detail":${"[".repeat(60_000)}${"]".repeat(60_000)}}`, "cannot be read"],
    [
      "figures that are none",
      400,
      { error: { message: "too large", n_ctx: 1, n_prompt_tokens: { toString: 0 } } },
      "HTTP 400: too large. Check",
    ],
    [
      "an engine that is too old",
      400,
      { error: "unknown model architecture: 'q'" },
      "Check the server's log",
    ],
    [
      "no provider",
      404,
      { error: { message: "No endpoints found for a/b." } },
      "or name another with --model",
    ],
    ["truncated JSON", 200, '{"choices":[{"mess', "the reply is not JSON"],
    ["a redirect", 302, "", "Set LH_GATEWAY_URL to the server's chat URL."],
    [
      "context overflow",
      400,
      {
        error: {
          code: 400,
          message: "too large",
          type: "exceed_context_size_error",
          n_prompt_tokens: 2000,
          n_ctx: 1024,
        },
      },
      "The prompt has 2000 tokens, the server's context 1024",
    ],
  ])("reports %s in one line", async (_, status, body, expected) => {
    const reply = typeof body === "string" ? body : JSON.stringify(body);
    await using server = gateway(() => new Response(reply, { status }));
    const { answer, record } = await ask(`${server.url}/v1`);
    expect(answer).toBeNull();
    expect(record.error).toStartWith(`POST ${server.url}/v1/chat/completions: `);
    expect(record.error).toContain(expected);
    expect(record.error).not.toContain("\n");
    expect(record.requests).toHaveLength(1);
  });

  test.each([
    [
      "parts",
      answered([{ type: "text", text: "a" }, { type: "image" }, { type: "text", text: "b" }]),
      "ab",
      0,
    ],
    [
      "parts that are no text",
      answered([
        null,
        { type: "text", text: 7 },
        { type: "thinking", text: "hm" },
        { type: "text", text: "a" },
      ]),
      "a",
      0,
    ],
    ["null", answered(null), "", 0],
    ["no message", completion("x", { choices: [{}] }), "", 0],
    ["reasoning", completion("x", { choices: [{ message: { content: "x", reasoning: "why" } }] }), "x", 3],
    [
      "reasoning_content",
      completion("x", { choices: [{ message: { content: "x", reasoning_content: "why?" } }] }),
      "x",
      4,
    ],
    [
      "reasoning_details",
      completion("x", {
        choices: [{ message: { content: "", reasoning_details: [null, { text: "12345" }, {}] } }],
      }),
      "",
      5,
    ],
    ["a leading think block", answered("<think>hm</think>x"), "x", 2],
  ])("reads content given as %s", async (_, reply, expected, reasoningChars) => {
    await using server = gateway(() => reply);
    const { answer, record } = await ask(server.url);
    expect({ answer, reasoningChars: record.reasoning_chars }).toEqual({ answer: expected, reasoningChars });
  });

  test.each([
    [
      { prompt_tokens: 0, completion_tokens: 7 },
      { prompt_tokens: 0, completion_tokens: 7 },
    ],
    [
      { prompt_tokens: "400", completion_tokens: -1 },
      { prompt_tokens: null, completion_tokens: null },
    ],
    [[], null],
    ["400", null],
  ])("counts tokens of %j as %j", async (usage, counted) => {
    await using server = gateway(() => completion("fine", { usage }));
    expect((await ask(server.url)).record.usage).toEqual(counted);
  });

  test("takes a name without a letter for none", async () => {
    const choices = [{ message: { content: "fine" }, finish_reason: "" }];
    await using server = gateway(() => completion("fine", { model: "", choices, system_fingerprint: "" }));
    const { returned_model, finish_reason, system_fingerprint } = (await ask(server.url)).record;
    expect([returned_model, finish_reason, system_fingerprint]).toEqual([null, null, null]);
  });

  test("takes no answer that comes with an error's status", async () => {
    const { body } = completion("fine");
    await using server = gateway(() => new Response(body, { status: 400 }));
    const { answer, record } = await ask(`${server.url}/v1`);
    expect(answer).toBeNull();
    expect(record.error).toContain(": HTTP 400: ");
  });

  test("replaces bad UTF-8 instead of failing", async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"choices":[{"message":{"content":"a'),
      Buffer.from([0xff]),
      Buffer.from('b"}}]}'),
    ]);
    await using server = gateway(() => new Response(bytes));
    expect((await ask(server.url)).answer).toBe("a\ufffdb");
  });

  test("refuses a reply larger than 8 MiB", async () => {
    await using server = gateway(() => new Response("x".repeat(8 * 1024 * 1024 + 1)));
    const { answer, record } = await ask(server.url);
    expect(answer).toBeNull();
    expect(record.error).toContain("the reply is larger than 8 MiB");
  });

  test.each([
    ["its key", {}, { key: "ab/cd-own-key" }, "ab/cd-own-key"],
    ["its URL's password", { username: "user", password: "p4ssw0rd!" }, {}, "p4ssw0rd!"],
    [
      "its URL's credentials in base64",
      { username: "user", password: "p4ssw0rd!" },
      {},
      btoa("user:p4ssw0rd!"),
    ],
    ["a token in place of its URL's user", { username: "tok9secretvalue" }, {}, "tok9secretvalue"],
    ["such a token in its decoded form", { username: "tok9/secret+value" }, {}, "tok9/secret+value"],
    ["such a token as it stands in the URL", { username: "tok9/secret" }, {}, "tok9%2Fsecret"],
    ["a key in its query", { search: "?key=AbCdSecret" }, {}, "AbCdSecret"],
  ])("strikes %s wherever the server echoes it", async (_, parts, fields, secret) => {
    // JSON may escape a slash, which hides a key from whoever searches the raw body.
    const body = (text: string): string => JSON.stringify(text).replaceAll("/", "\\/");
    await using server = gateway(
      () => new Response(`{"error":{"message":${body(`bad ${secret}`)}}}`, { status: 503 }),
      () =>
        new Response(
          `{"model":${body(secret)},"choices":[{"message":{"content":${body(`use ${secret}`)}}}]}`,
        ),
    );
    const reply = await ask(Object.assign(new URL(`${server.url}/v1`), parts).href, fields);
    expect(reply.answer).toBe("use [redacted:key]");
    expect(JSON.stringify(reply)).not.toContain(JSON.stringify(secret).slice(1, -1));
  });

  test("strikes no user's name beside a password", async () => {
    await using server = gateway(() => completion("Log in to postgres as postgres."));
    const url = Object.assign(new URL(`${server.url}/v1`), { username: "postgres", password: "p4ssw0rd!" });
    expect((await ask(url.href)).answer).toBe("Log in to postgres as postgres.");
  });

  test("takes a generation that broke off for an error", async () => {
    await using server = gateway(() => answered("half an ans", { finish_reason: "error" }));
    const { answer, record } = await ask(server.url);
    expect(answer).toBeNull();
    expect(record.error).toContain("the generation ended in an error");
  });

  test("takes an address beside another status for no redirect", async () => {
    const headers = { location: "/elsewhere" };
    await using server = gateway(
      () => Response.json({ error: "busy" }, { status: 503, headers }),
      () => new Response(completion("fine").body, { headers }),
    );
    const { answer, record } = await ask(`${server.url}/v1`);
    expect(answer).toBe("fine");
    expect(record.requests.map(({ status, error }) => [status, error])).toEqual([
      [503, `POST ${server.url}/v1/chat/completions: HTTP 503: busy. Check the server's log.`],
      [200, null],
    ]);
  });

  test("follows no redirect, so that nobody else is asked", async () => {
    await using elsewhere = gateway(() => completion("from elsewhere"));
    await using server = gateway(() => Response.redirect(`${elsewhere.url}/v1/chat`, 307));
    const { answer, record } = await ask(server.url, { key: "k-12345678" });
    expect(answer).toBeNull();
    expect(record.error).toContain(`HTTP 307: redirected to ${elsewhere.url}/v1/chat, and distill`);
    expect(elsewhere.received).toEqual([]);
  });

  test.each([
    ["an address", "https://gw.internal/v1/chat", "https://gw.internal/v1/chat"],
    ["a path", "/api/v1/chat", "SERVER/api/v1/chat"],
    ["a token in its query", "https://sso/in?next=%2Fv1&token=AbCdSecret#x", "https://sso/in"],
    ["credentials", "https://user:p4ssw0rd@gw/v1", "https://gw/v1"],
    ["our own key", "/for/ab/cd-own-key", "SERVER/for/[redacted:key]"],
    ["somebody's key", `/k/sk-proj-${"aB1".repeat(10)}`, "SERVER/k/[redacted:api_key]"],
    ["control characters", "/a\x1b]0;owned\x9b", "SERVER/a%1B]0;owned%C2%9B"],
    ["no host", "http://", "http://"],
    ["no end", `/${"long/".repeat(100)}`, `SERVER/${"long/".repeat(100)}`],
  ])("says where a redirect leads that has %s", async (_, location, expected) => {
    const headers = { location };
    const fetch: Deps["fetch"] = async () => new Response("<h1>Moved</h1>", { status: 307, headers });
    const { record } = await ask("http://h:1/v1", { key: "ab/cd-own-key" }, {}, impatient({ fetch }));
    const where = expected.replace("SERVER", "http://h:1").slice(0, 200);
    expect(record.error).toBe(
      `POST http://h:1/v1/chat/completions: HTTP 307: redirected to ${where}, and distill follows no redirect. Set LH_GATEWAY_URL to the server's chat URL.`,
    );
    expect(record.requests).toHaveLength(1);
  });

  test.each(["text/event-stream", "text/event-stream; charset=utf-8"])(
    "says that a server streams: %s",
    async (type) => {
      const events = 'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n';
      await using server = gateway(() => new Response(events, { headers: { "content-type": type } }));
      const { answer, record } = await ask(`${server.url}/v1`);
      expect(answer).toBeNull();
      expect(record.error).toMatch(
        /: the reply is not JSON but a stream, which was not asked for \("data: .*\)\. Turn streaming off in the server, or in what stands before it\.$/,
      );
    },
  );

  test("takes a reply for a web page by its type, too", async () => {
    const headers = { "content-type": "text/html; charset=utf-8" };
    await using server = gateway(() => new Response("<!-- sso --><h1>Sign in</h1>", { headers }));
    const { record } = await ask(`${server.url}/v1`);
    expect(record.error).toContain('the reply is not JSON but a web page ("Sign in"). Check LH_GATEWAY_URL,');
  });

  const OLLAMAS = { model: "m", message: { role: "assistant", content: "a" }, done: false };
  test.each([
    ["a stream of Ollama's", jsonl([OLLAMAS, { ...OLLAMAS, done: true }]), "application/x-ndjson", true],
    ["one whole reply of Ollama's", JSON.stringify({ ...OLLAMAS, done: true }), "application/json", true],
    ["another stream of JSON", jsonl([{ delta: "a" }, { delta: "b" }]), "text/plain", false],
    ["a stream of events without its type", 'data: {"delta":"a"}\n\ndata: [DONE]\n\n', "text/plain", false],
  ])("says what to do about %s", async (_, body, type, isOllamas) => {
    await using server = gateway(() => new Response(body, { headers: { "content-type": type } }));
    const { record } = await ask(`${server.url}/api/chat`);
    expect(record.error).toEndWith(
      isOllamas
        ? " This is Ollama's own API: set LH_GATEWAY_URL to the OpenAI-style one, which ends in /v1."
        : " Turn streaming off in the server, or in what stands before it.",
    );
  });

  test("takes JSON for an answer whatever type it is given", async () => {
    const headers = { "content-type": "text/event-stream" };
    await using server = gateway(
      () => new Response(JSON.stringify({ choices: [{ message: { content: "fine" } }] }), { headers }),
    );
    expect((await ask(server.url)).answer).toBe("fine");
  });

  test.each([
    ["a page", 401, (key: string) => `<p>${"x".repeat(170)} Authorization: Bearer ${key}</p>`],
    ["plain text", 200, (key: string) => `${"x".repeat(30)} Bearer ${key}`],
    ["a long message", 400, (key: string) => JSON.stringify({ error: `${"x".repeat(2030)} ${key}` })],
  ])("strikes a key from %s before it is cut", async (_, status, body) => {
    const key = "local-gateway-key-of-alice-0001";
    await using server = gateway(() => new Response(body(key), { status }));
    const { record } = await ask(`${server.url}/v1`, { key });
    expect(record.error).not.toContain("local-gateway");
  });

  test("strikes what looks like a key from a failure, whosesoever it is", async () => {
    await using server = gateway(() => new Response(`bad key sk-proj-${"aB1".repeat(10)}`, { status: 502 }));
    const told: string[] = [];
    const onEvent: Deps["onEvent"] = (event) => {
      if (event.kind === "retrying") told.push(event.error);
    };
    await ask(`${server.url}/v1`, {}, {}, impatient({ onEvent }));
    expect(told[0]).toContain("bad key [redacted:api_key]");
    // Without "check the log": it is tried again.
    expect(told[0]).toEndWith("[redacted:api_key].");
  });

  test("keeps at most 2,048 characters of a server's words", async () => {
    await using server = gateway(() => Response.json({ error: "x".repeat(10_000) }, { status: 400 }));
    expect((await ask(`${server.url}/v1`)).record.error!.length).toBeLessThan(2300);
  });

  test("sends no idle timeout of its own", async () => {
    let timeout: unknown;
    const fetch: Deps["fetch"] = async (_, init) => {
      timeout = (init as { timeout?: unknown }).timeout;
      return completion("fine");
    };
    await ask("http://127.0.0.1:9", {}, {}, impatient({ fetch }));
    expect(timeout).toBe(false);
  });
});

describe("callModel's retries", () => {
  const failing =
    (status: number, headers: Record<string, string> = {}) =>
    () =>
      new Response("busy", { status, headers });

  test("advises to wait, as long as a busy server says where it does", async () => {
    const advised = async (status: number, headers: Record<string, string>): Promise<string> => {
      await using server = gateway(failing(status, headers));
      return (await ask(`${server.url}/v1`, {}, { maxRetries: 0 })).record.error!;
    };
    expect(await advised(429, {})).toEndWith("HTTP 429: busy. Wait, and run it again.");
    expect(await advised(429, { "retry-after": "7" })).toEndWith(
      "HTTP 429: busy. Wait 7 s, and run it again.",
    );
    expect(await advised(503, { "retry-after": "7" })).toEndWith("HTTP 503: busy. Check the server's log.");
  });

  test.each([408, 429, 502, 503, 504, 529])("tries again after %d until it answers", async (status) => {
    await using server = gateway(failing(status), failing(status), () => completion("fine"));
    const deps = impatient();
    const { answer, record } = await ask(`${server.url}/v1`, {}, {}, deps);
    expect(answer).toBe("fine");
    expect(record.requests.map((request) => [request.status, request.wait_ms])).toEqual([
      [status, 0],
      [status, 500],
      [200, 1000],
    ]);
    expect(deps.waits).toEqual([500, 1000]);
  });

  test.each([
    [500, 2],
    [503, 3],
    [400, 1],
    [401, 1],
    [402, 1],
    [403, 1],
    [413, 1],
    [422, 1],
  ])("gives up on %d after %d requests", async (status, requests) => {
    await using server = gateway(failing(status));
    const { record } = await ask(`${server.url}/v1`);
    expect(record.requests).toHaveLength(requests);
    expect(record.retries).toBe(requests - 1);
  });

  test("does not retry at all with maxRetries 0", async () => {
    await using server = gateway(failing(503));
    expect((await ask(`${server.url}/v1`, {}, { maxRetries: 0 })).record.requests).toHaveLength(1);
  });

  test("retries a rate limit reported inside a 200", async () => {
    await using server = gateway(
      () => Response.json({ error: { code: 429, message: "slow down" } }),
      () => completion("fine"),
    );
    expect((await ask(server.url)).answer).toBe("fine");
  });

  test.each([
    ["seconds", "7", [7000]],
    ["an HTTP date", "Thu, 01 Jan 2026 00:00:09 GMT", [9000]],
    ["a date in the past", "Thu, 01 Jan 2025 00:00:09 GMT", [500]],
    ["nonsense", "soon", [500]],
    ["more than a minute, of which it waits one", "61", [60_000]],
  ])("honours Retry-After given as %s", async (_, header, waits) => {
    await using server = gateway(failing(429, { "retry-after": header }), () => completion("fine"));
    const deps = impatient({ now: () => new Date("2026-01-01T00:00:00Z") });
    await ask(`${server.url}/v1`, {}, { timeoutMs: 100_000 }, deps);
    expect(deps.waits).toEqual(waits);
  });

  test("gives up at once where the server asks for more time than there is, which is more than it waits", async () => {
    await using server = gateway(failing(429, { "retry-after": "3600" }));
    const deps = impatient({});
    const { record } = await ask(`${server.url}/v1`, {}, { timeoutMs: 100_000 }, deps);
    expect(deps.waits).toEqual([]);
    expect(record.error).toEndWith("Wait 3600 s, and run it again.");
  });

  test.each([
    ["a Retry-After longer than what is left of it", "3", 7200],
    ["a pause that jitter makes as long as what is left of it", "2", 7500],
    ["its own pause, where less is left", null, 9500],
  ])("gives up at once where the time is too short for %s", async (_, header, passedMs) => {
    await using server = gateway(failing(429, header === null ? {} : { "retry-after": header }));
    let uptime = 0;
    const fetch: Deps["fetch"] = async (url, init) => {
      uptime += passedMs + 1;
      return globalThis.fetch(url, init);
    };
    const deps = impatient({ fetch, uptimeMs: () => uptime, random: () => 1 });
    const { record } = await ask(`${server.url}/v1`, {}, { timeoutMs: 10_000 }, deps);
    expect(deps.waits).toEqual([]);
    expect(record.requests).toHaveLength(1);
    expect(record.error).toContain("HTTP 429: busy");
  });

  test("waits where the time is long enough for it", async () => {
    await using server = gateway(failing(429, { "retry-after": "3" }), () => completion("fine"));
    let uptime = 0;
    const fetch: Deps["fetch"] = async (url, init) => {
      uptime += 6000;
      return globalThis.fetch(url, init);
    };
    const deps = impatient({ fetch, uptimeMs: () => uptime });
    expect((await ask(`${server.url}/v1`, {}, { timeoutMs: 10_000 }, deps)).answer).toBe("fine");
    expect(deps.waits).toEqual([3000]);
  });

  test("asks no more where an interrupt came in a pause", async () => {
    await using server = gateway(failing(503), () => completion("too late"));
    const interrupt = new AbortController();
    const sleep: Deps["sleep"] = async () => interrupt.abort();
    const deps = impatient({ sleep, signal: interrupt.signal });
    const { answer, record } = await ask(`${server.url}/v1`, {}, {}, deps);
    expect({ answer, requests: record.requests.length }).toEqual({ answer: null, requests: 1 });
    expect(record.error).toEndWith(": HTTP 503: busy; interrupted before it was tried again. Run it again.");
  });

  test("retries a refused connection and says so", async () => {
    await using server = gateway(() => completion("unused"));
    await server[Symbol.asyncDispose]();
    const { answer, record } = await ask(server.url);
    expect(answer).toBeNull();
    expect(record.error).toBe(
      `POST ${server.url}/v1/chat: connection refused. Start the gateway, or set LH_GATEWAY_URL.`,
    );
    expect(record.requests).toHaveLength(3);
  });

  test("says that a server speaks http where https was asked for", async () => {
    await using server = gateway(() => completion("unused"));
    const { record } = await ask(server.url.replace("http", "https"), {}, { maxRetries: 0 });
    expect(record.error).toEndWith(
      ": no TLS connection: the server seems to speak http. Write http:// in LH_GATEWAY_URL, or the port of its https.",
    );
  });

  test("asks Ollama's port without a key where the default gateway is down", async () => {
    const asked: [string, string | null][] = [];
    const fetch: Deps["fetch"] = async (url, init) => {
      asked.push([url, new Headers(init.headers).get("authorization")]);
      if (url.includes(":3100")) throw Object.assign(new TypeError("refused"), { code: "ECONNREFUSED" });
      return completion("fine");
    };
    const options = { ...OPTIONS, target: target({ baseUrl: null, key: "secret-key" }) };
    const { answer } = await callModel(options, impatient({ fetch }));
    expect(answer).toBe("fine");
    expect(asked).toEqual([
      ["http://localhost:3100/v1/chat", "Bearer secret-key"],
      ["http://localhost:11434/v1/chat/completions", null],
    ]);
  });

  test.each([
    [
      "closes the connection",
      () => Promise.reject(Object.assign(new TypeError("reset"), { code: "ECONNRESET" })),
      3,
    ],
    ["has neither path", async () => new Response("", { status: 404 }), 2],
    ["is overloaded", async () => new Response("", { status: 503 }), 3],
  ] as [string, () => Promise<Response>, number][])(
    "asks nobody at Ollama's port where the default gateway %s",
    async (_, answer, times) => {
      const asked: string[] = [];
      const fetch: Deps["fetch"] = (url) => {
        asked.push(new URL(url).host);
        return answer();
      };
      const options = { ...OPTIONS, target: target({ baseUrl: null }) };
      expect((await callModel(options, impatient({ fetch }))).answer).toBeNull();
      expect(asked).toEqual(Array.from({ length: times }, () => "localhost:3100"));
    },
  );

  test("adds up to a quarter of jitter to a pause", async () => {
    await using server = gateway(failing(503));
    const deps = impatient({ random: () => 1 });
    await ask(`${server.url}/v1`, {}, {}, deps);
    expect(deps.waits).toEqual([625, 1250]);
  });

  test("keeps the cause where the time runs out in a pause", async () => {
    await using server = gateway(failing(503, { "retry-after": "30" }));
    const { record } = await ask(`${server.url}/v1`, {}, { timeoutMs: 50 }, realDeps());
    expect(record.error).toContain("HTTP 503: busy");
    expect(record.requests).toHaveLength(1);
  });

  test("ends at the total timeout without a retry", async () => {
    await using server = gateway(() => new Promise(() => {}));
    const { record } = await ask(server.url, {}, { timeoutMs: 30 });
    expect(record.error).toContain("no whole answer within 0.03 s. Raise --timeout-ms");
    expect(record.requests).toHaveLength(1);
  });

  test("stops at an interrupt in mid-call", async () => {
    const interrupt = new AbortController();
    await using server = gateway(() => {
      interrupt.abort();
      return new Promise(() => {});
    });
    const { record } = await ask(server.url, {}, {}, impatient({ signal: interrupt.signal }));
    expect(record.error).toContain("interrupted");
  });
});

describe("callModel's view of the prompt", () => {
  const long = { system: "s", user: "word ".repeat(1000) };
  const estimate = 1251;

  test.each([
    ["as estimated", { prompt_tokens: 1400, completion_tokens: 10 }, "stop", false],
    ["far fewer than sent", { prompt_tokens: 700, completion_tokens: 10 }, "stop", true],
    ["the context's end before the limit", { prompt_tokens: 1400, completion_tokens: 600 }, "length", true],
    [
      "the context's end, as Mistral says it",
      { prompt_tokens: 1400, completion_tokens: 600 },
      "model_length",
      true,
    ],
    ["the limit itself", { prompt_tokens: 1400, completion_tokens: 1500 }, "length", false],
    ["nothing", undefined, "stop", null],
  ])("compares the server's count with its own: %s", async (_, usage, finish_reason, cut) => {
    await using server = gateway(() =>
      completion("x", { usage, choices: [{ message: { content: "x" }, finish_reason }] }),
    );
    const options = { ...OPTIONS, prompt: long, target: target({ baseUrl: server.url }) };
    const { record } = await callModel(options, impatient());
    expect({ estimate: record.prompt_token_estimate, cut: record.prompt_cut }).toEqual({ estimate, cut });
  });
});

describe("splitReasoning", () => {
  test.each([
    ["plain text", "answer", "", "answer"],
    ["a leading block", "<think>a</think>\nb", "a", "\nb"],
    ["a block after white space", "\n <think>a</think>b", "a", "b"],
    ["an unclosed block", "<think>a b", "a b", ""],
    ["a lone closing tag", "a</think>b", "a", "b"],
    ["a closing tag alone", "</think>b", "", "b"],
    ["a closing tag in code behind an opening one", "<think>so `a</think>b` c", "so `a", "b` c"],
    ["a closing tag between codes", "`a` so</think>`b`", "`a` so", "`b`"],
    ["a closing tag behind a code fence", "```\nx</think>\n```", "", "```\nx</think>\n```"],
    ["code in the reasoning", "try `df -h`\n```\nx\n```\nso</think>b", "try `df -h`\n```\nx\n```\nso", "b"],
    ["a closing tag quoted as code", "Set it to `</think>`.", "", "Set it to `</think>`."],
    ["a block in the middle", "see `<think>` tags", "", "see `<think>` tags"],
  ])("takes %s apart", (_, content, reasoning, answer) => {
    expect(splitReasoning(content)).toEqual({ reasoning, answer });
  });
});
