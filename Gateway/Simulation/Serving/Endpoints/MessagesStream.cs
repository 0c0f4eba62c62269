using System.Buffers;
using System.Text;

namespace Gateway.Simulation.Serving.Endpoints;

/// <summary>The events of a streamed message: one content block, text or a tool's input.</summary>
internal sealed class MessagesStream(EngineCall call, int promptTokens, string? tool) : AnswerStream
{
    private readonly byte[] _deltaHead = Encoding.UTF8.GetBytes(
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
        + (tool is null ? "{\"type\":\"text_delta\",\"text\":\"" : "{\"type\":\"input_json_delta\",\"partial_json\":\""));

    public override void WriteStart(IBufferWriter<byte> writer, GenerationGroup group)
    {
        var cached = group.CachedTokens;
        var block = tool is null
            ? "{\"type\":\"text\",\"text\":\"\"}"
            : $"{{\"type\":\"tool_use\",\"id\":\"{call.NewId("toolu_")}\",\"name\":{JsonBytes.Text(tool)},\"input\":{{}}}}";
        Write(writer, "message_start", $"\"message\":{{\"id\":\"{call.NewId("msg_")}\",\"type\":\"message\",\"role\":\"assistant\",\"model\":{JsonBytes.Text(call.Model)},\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{{\"input_tokens\":{promptTokens - cached},\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":{cached},\"output_tokens\":0}}}}");
        Write(writer, "content_block_start", $"\"index\":0,\"content_block\":{block}");
    }

    public override void WriteToken(IBufferWriter<byte> writer, GenerationGroup group, int choice, int token)
    {
        var piece = group.Generations[choice].Pieces[token];
        if (piece.Length == 0)
        {
            return;
        }

        writer.Write(_deltaHead);
        writer.Write(ComposedAnswer.Escaped(piece));
        writer.Write("\"}}\n\n"u8);
    }

    public override void WriteFinish(IBufferWriter<byte> writer, GenerationGroup group, int choice)
    {
        var generation = group.Generations[choice];
        Write(writer, "content_block_stop", "\"index\":0");
        Write(writer, "message_delta", $"\"delta\":{{\"stop_reason\":\"{MessagesEndpoint.StopReason(generation, tool)}\",\"stop_sequence\":{JsonBytes.TextOrNull(generation.StoppedBy)}}},\"usage\":{{\"input_tokens\":{promptTokens - generation.CachedTokens},\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":{generation.CachedTokens},\"output_tokens\":{generation.Pieces.Length}}}");
    }

    public override void WriteEnd(IBufferWriter<byte> writer, GenerationGroup group, bool omitsDone) =>
        writer.Write("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"u8);

    private static void Write(IBufferWriter<byte> writer, string type, string fields) =>
        writer.Write(Encoding.UTF8.GetBytes($"event: {type}\ndata: {{\"type\":\"{type}\",{fields}}}\n\n"));
}
