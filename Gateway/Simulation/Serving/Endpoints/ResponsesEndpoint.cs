using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Gateway.Simulation.Serving.Endpoints;

/// <summary><c>POST /v1/responses</c>, streamed or whole, and what is stored of them: <c>GET</c> and <c>DELETE /v1/responses/{id}</c>.</summary>
internal static class ResponsesEndpoint
{
    public const string Prefix = "/v1/responses/";

    private static readonly string[] MaxNames = ["max_output_tokens"];

    public static async Task AnswerAsync(EngineCall call)
    {
        if (SamplingFields.Read(call.Root, MaxNames, out var error) is not { } fields)
        {
            await error!.WriteAsync(call.Http);
            return;
        }

        var prompt = Prompt(call, out error);
        var group = new GenerationGroup();
        var tool = DemandedTool(call.Root);
        var promptTokens = 0;
        error ??= call.AddGeneration(group, prompt!, fields, null, 0, tool is null ? AnswerShape.Prose : AnswerShape.Json, out promptTokens);
        if (error is not null)
        {
            await error.WriteAsync(call.Http);
            return;
        }

        var response = new ResponseJson(call, group, promptTokens, tool);
        if (fields.IsStream)
        {
            await AnswerPump.StreamAsync(call, group, new ResponsesStream(response));
        }
        else
        {
            await AnswerPump.CompleteAsync(call, group);
            await call.WriteJsonAsync(response.WriteFinal);
        }

        if (!call.Root.TryGetProperty("store", out var store) || store.ValueKind != JsonValueKind.False)
        {
            var conversation = prompt!.ToText() + ComposedAnswer.Text(group.Generations[0].Pieces);
            call.Server.Responses.Add(response.Id, new StoredResponse(JsonBytes.Of(response.WriteFinal), conversation));
        }
    }

    /// <summary>Answers a GET or DELETE of one stored response.</summary>
    public static async Task AnswerStoredAsync(EngineServer server, HttpContext http, string id)
    {
        if (HttpMethods.IsDelete(http.Request.Method) && server.Responses.Remove(id))
        {
            http.Response.ContentType = "application/json";
            await http.Response.Body.WriteAsync(JsonBytes.Of(json =>
            {
                json.WriteStartObject();
                json.WriteString("id", id);
                json.WriteString("object", "response");
                json.WriteBoolean("deleted", true);
                json.WriteEndObject();
            }), http.RequestAborted);
        }
        else if (HttpMethods.IsGet(http.Request.Method) && server.Responses.TryGet(id, out var stored))
        {
            http.Response.ContentType = "application/json";
            await http.Response.Body.WriteAsync(stored.Json, http.RequestAborted);
        }
        else
        {
            await NotFound(id).WriteAsync(http);
        }
    }

    private static EngineError NotFound(string id) => new(404, "NotFoundError", $"Response with id '{id}' not found.", "response_id");

    private static PromptText? Prompt(EngineCall call, out EngineError? error)
    {
        error = null;
        var root = call.Root;
        string? before = null;
        if (root.TryGetProperty("previous_response_id", out var previous) && previous.ValueKind == JsonValueKind.String)
        {
            if (!call.Server.Responses.TryGet(PromptText.StringOf(previous), out var stored))
            {
                error = NotFound(PromptText.StringOf(previous));
                return null;
            }

            before = stored.Conversation;
        }

        root.TryGetProperty("tools", out var tools);
        var system = root.TryGetProperty("instructions", out var instructions) && instructions.ValueKind == JsonValueKind.String ? PromptText.StringOf(instructions) : null;
        root.TryGetProperty("input", out var input);
        if (input.ValueKind is not (JsonValueKind.String or JsonValueKind.Array))
        {
            error = EngineError.BadRequest("input must be a string or a list of items.", "input");
            return null;
        }

        return PromptText.Chat(input, continuesLast: false, tools, system, before);
    }

    private static string? DemandedTool(JsonElement root)
    {
        if (!root.TryGetProperty("tools", out var tools) || tools.ValueKind != JsonValueKind.Array || tools.GetArrayLength() == 0 || !root.TryGetProperty("tool_choice", out var choice))
        {
            return null;
        }

        var tool = choice.ValueKind == JsonValueKind.Object ? choice : choice.ValueKind == JsonValueKind.String && choice.ValueEquals("required") ? tools[0] : default;
        return tool.ValueKind != JsonValueKind.Object ? null : tool.TryGetProperty("name", out var name) ? PromptText.TextOf(name) : "tool";
    }
}
