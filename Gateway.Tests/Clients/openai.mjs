// The official npm client, unchanged but for its base URL, against a running gateway: node openai.mjs http://127.0.0.1:8080
// Prints a line per check and, as its last line, how many passed and failed.
import OpenAI from "openai";
import assert from "node:assert/strict";

const gateway = process.argv[2] ?? "http://127.0.0.1:8080";
const model = process.argv[3] ?? "demo";
const client = new OpenAI({ baseURL: `${gateway}/v1`, apiKey: "none", maxRetries: 0, timeout: 30_000 });
const ask = (text) => [{ role: "user", content: text }];

const checks = {
  async "chat answers with text, usage and the asked model"() {
    const answer = await client.chat.completions.create({ model, messages: ask("answer with 7 tokens") });
    assert.equal(answer.model, model);
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert.equal(answer.usage.completion_tokens, 7);
    assert.ok(answer.choices[0].message.content.length > 0);
  },

  async "the response names replica, estimate and request id"() {
    const { response } = await client.chat.completions
      .create({ model, messages: ask("answer with 3 tokens") }, { headers: { "x-request-id": "client-check-1" } })
      .withResponse();
    assert.equal(response.headers.get("x-request-id"), "client-check-1");
    assert.ok(response.headers.get("x-gateway-replica"));
    assert.ok(Number(response.headers.get("x-gateway-estimated-output-tokens")) > 0);
  },

  async "a streamed chat arrives in pieces and keeps the gateway's usage event to itself"() {
    const stream = await client.chat.completions.create({ model, messages: ask("answer with 20 tokens"), stream: true });
    let pieces = 0, text = "", finish = null;
    for await (const chunk of stream) {
      assert.equal(chunk.usage ?? null, null);
      assert.equal(chunk.choices.length, 1);
      if (chunk.choices[0].delta.content) { pieces++; text += chunk.choices[0].delta.content; }
      finish = chunk.choices[0].finish_reason ?? finish;
    }
    assert.equal(finish, "stop");
    assert.ok(pieces > 5, `${pieces} pieces`);
    const whole = await client.chat.completions.create({ model, messages: ask("answer with 20 tokens"), stream: false });
    assert.equal(text, whole.choices[0].message.content);
  },

  async "usage comes with the stream where it was asked for"() {
    const stream = await client.chat.completions.create({
      model, messages: ask("answer with 9 tokens"), stream: true, stream_options: { include_usage: true },
    });
    let usage = null;
    for await (const chunk of stream) { usage = chunk.usage ?? usage; }
    assert.equal(usage.completion_tokens, 9);
  },

  async "a tool is called"() {
    const answer = await client.chat.completions.create({
      model, messages: ask("What is the weather in Bern?"),
      tools: [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } } }],
      tool_choice: { type: "function", function: { name: "weather" } },
    });
    const call = answer.choices[0].message.tool_calls[0];
    assert.equal(call.function.name, "weather");
    JSON.parse(call.function.arguments);
  },

  async "a tool is called in a stream"() {
    const stream = await client.chat.completions.create({
      model, messages: ask("What is the weather in Bern?"), stream: true,
      tools: [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: {} } } }],
      tool_choice: { type: "function", function: { name: "weather" } },
    });
    let name = "", written = "";
    for await (const chunk of stream) {
      for (const call of chunk.choices[0]?.delta.tool_calls ?? []) {
        name += call.function?.name ?? "";
        written += call.function?.arguments ?? "";
      }
    }
    assert.equal(name, "weather");
    JSON.parse(written);
  },

  async "embeddings come one per input"() {
    const answer = await client.embeddings.create({ model, input: ["one", "two"] });
    assert.equal(answer.data.length, 2);
    assert.ok(answer.data[0].embedding.length > 0);
  },

  async "models are listed and found one by one"() {
    const models = [];
    for await (const found of client.models.list()) { models.push(found.id); }
    assert.ok(models.includes(model), models.join());
    assert.equal((await client.models.retrieve(model)).id, model);
  },

  async "an unknown model is the client's own NotFoundError"() {
    const failure = await caught(client.chat.completions.create({ model: "nobody", messages: ask("hello") }));
    assert.ok(failure instanceof OpenAI.NotFoundError, failure?.constructor.name);
    assert.equal(failure.code, "model_not_found");
  },

  async "a bad field is the client's own BadRequestError"() {
    const failure = await caught(client.chat.completions.create({ model: 5, messages: ask("hello") }));
    assert.ok(failure instanceof OpenAI.BadRequestError, failure?.constructor.name);
    assert.ok(failure.message.length > 10);
  },

  async "a prompt beyond the context is refused by its code"() {
    const failure = await caught(client.chat.completions.create({ model, messages: ask("long ".repeat(400_000)) }));
    assert.equal(failure.status, 400);
    assert.equal(failure.code, "context_length_exceeded");
  },

  async "an unknown route is a 404 in the API's shape"() {
    const answer = await fetch(`${gateway}/v1/nothing`, { method: "POST", body: "{}" });
    assert.equal(answer.status, 404);
    assert.equal((await answer.json()).error.type, "invalid_request_error");
  },

  async "a canceled stream frees its replica"() {
    const stream = await client.chat.completions.create({ model, messages: ask("answer with 5000 tokens"), stream: true });
    for await (const chunk of stream) { if (chunk.choices[0]?.delta.content) { stream.controller.abort(); break; } }
    await until(async () => (await running()) === 0, "the replicas are idle again");
  },

  async "a canceled plain request frees its replica"() {
    const leaving = new AbortController();
    const answer = caught(client.chat.completions.create({ model, messages: ask("answer with 5000 tokens") }, { signal: leaving.signal }));
    await until(async () => (await running()) > 0, "the request runs");
    leaving.abort();
    assert.ok((await answer) instanceof OpenAI.APIUserAbortError);
    await until(async () => (await running()) === 0, "the replicas are idle again");
  },

  async "responses answer"() {
    const answer = await post("/v1/responses", { model, input: "answer with 6 tokens" });
    assert.equal(answer.status, 200);
    const body = await answer.json();
    assert.equal(body.object, "response");
    assert.equal(body.model, model);
    assert.equal(body.usage.output_tokens, 6);
  },

  async "responses stream to their completed event"() {
    const events = await eventsOf(await post("/v1/responses", { model, input: "answer with 6 tokens", stream: true }));
    assert.equal(events[0], "response.created");
    assert.equal(events.at(-1), "response.completed");
    assert.ok(events.filter((name) => name === "response.output_text.delta").length >= 1);
  },

  async "messages answer"() {
    const answer = await post("/v1/messages", { model, max_tokens: 50, messages: ask("answer with 6 tokens") });
    assert.equal(answer.status, 200);
    const body = await answer.json();
    assert.equal(body.type, "message");
    assert.equal(body.usage.output_tokens, 6);
  },

  async "messages stream to message_stop"() {
    const events = await eventsOf(await post("/v1/messages", { model, max_tokens: 50, messages: ask("answer with 6 tokens"), stream: true }));
    assert.equal(events[0], "message_start");
    assert.equal(events.at(-1), "message_stop");
  },

  async "an error of messages has the shape of that API"() {
    const answer = await post("/v1/messages", { model: "nobody", max_tokens: 5, messages: ask("hello") });
    assert.equal(answer.status, 404);
    const body = await answer.json();
    assert.equal(body.type, "error");
    assert.equal(body.error.type, "not_found_error");
  },
};

async function caught(promise) {
  try { await promise; } catch (failure) { return failure; }
  assert.fail("It was expected to fail.");
}

function post(path, body) {
  return fetch(gateway + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

async function eventsOf(answer) {
  assert.equal(answer.status, 200);
  return [...(await answer.text()).matchAll(/^event: (.+)$/gm)].map((line) => line[1]);
}

async function running() {
  const { replicas } = await (await fetch(`${gateway}/-/replicas`)).json();
  return replicas.reduce((sum, replica) => sum + replica.running_requests, 0);
}

async function until(condition, what) {
  const end = Date.now() + 5_000;
  while (!(await condition())) {
    assert.ok(Date.now() < end, `Waited in vain until ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok      ${name}`);
  } catch (failure) {
    failed++;
    console.log(`FAILED  ${name}: ${failure.message}`);
  }
}
console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
