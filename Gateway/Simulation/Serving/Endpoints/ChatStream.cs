using System.Buffers;
using System.Text;

namespace Gateway.Simulation.Serving.Endpoints;

/// <summary>The frames of a streamed chat completion, from byte templates made once per request.</summary>
internal sealed class ChatStream : AnswerStream
{
    private readonly SamplingFields _fields;
    private readonly int _promptTokens;
    private readonly string? _tool;
    private readonly byte[] _head;
    private readonly byte[][] _tokenHeads;
    private readonly string _toolCallId;

    public ChatStream(EngineCall call, SamplingFields fields, int promptTokens, string? tool)
    {
        _fields = fields;
        _promptTokens = promptTokens;
        _tool = tool;
        _toolCallId = call.NewId("call_");
        _head = Encoding.UTF8.GetBytes(
            $"data: {{\"id\":\"{call.NewId("chatcmpl-")}\",\"object\":\"chat.completion.chunk\",\"created\":{call.Created},\"model\":{JsonBytes.Text(call.Model)},\"choices\":[");
        _tokenHeads = [.. Enumerable.Range(0, fields.Choices).Select(choice => (byte[])[.. _head, .. TokenHead(choice)])];
    }

    public override void WriteStart(IBufferWriter<byte> writer, GenerationGroup group)
    {
        for (var choice = 0; choice < _fields.Choices; choice++)
        {
            var first = _tool is null
                ? "\"content\":\"\""
                : $"\"content\":null,\"tool_calls\":[{{\"index\":0,\"id\":\"{_toolCallId}\",\"type\":\"function\",\"function\":{{\"name\":{JsonBytes.Text(_tool)},\"arguments\":\"\"}}}}]";
            writer.Write(_head);
            writer.Write(Encoding.UTF8.GetBytes($"{{\"index\":{choice},\"delta\":{{\"role\":\"assistant\",{first}}},\"logprobs\":null,\"finish_reason\":null}}]"));
            WriteFrameEnd(writer, group, 0);
        }
    }

    public override void WriteToken(IBufferWriter<byte> writer, GenerationGroup group, int choice, int token)
    {
        var piece = group.Generations[choice].Pieces[token];
        if (piece.Length == 0)
        {
            return;
        }

        writer.Write(_tokenHeads[choice]);
        writer.Write(ComposedAnswer.Escaped(piece));
        writer.Write(_tool is null ? "\"},\"logprobs\":"u8 : "\"}}]},\"logprobs\":"u8);
        writer.Write(_fields.Logprobs is { } top ? JsonBytes.Of(json => TokenLogprobs.WriteChat(json, [piece], top)) : "null"u8);
        writer.Write(",\"finish_reason\":null}]"u8);
        WriteFrameEnd(writer, group, token + 1);
    }

    public override void WriteFinish(IBufferWriter<byte> writer, GenerationGroup group, int choice)
    {
        var generation = group.Generations[choice];
        var reason = _tool is not null && generation.FinishReason == "stop" ? "tool_calls" : generation.FinishReason;
        writer.Write(_head);
        writer.Write(Encoding.UTF8.GetBytes($"{{\"index\":{choice},\"delta\":{(_tool is null ? "{\"content\":\"\"}" : "{}")},\"logprobs\":null,\"finish_reason\":\"{reason}\",\"stop_reason\":{JsonBytes.TextOrNull(generation.StoppedBy)}}}]"));
        WriteFrameEnd(writer, group, generation.Pieces.Length);
    }

    public override void WriteEnd(IBufferWriter<byte> writer, GenerationGroup group, bool omitsDone)
    {
        if (_fields.IncludesUsage)
        {
            writer.Write(_head);
            writer.Write("],"u8);
            new Usage(_promptTokens, group.Produced, group.ToldCachedTokens).WriteTo(writer);
            writer.Write("}\n\n"u8);
        }

        if (!omitsDone)
        {
            writer.Write("data: [DONE]\n\n"u8);
        }
    }

    private byte[] TokenHead(int choice) => Encoding.UTF8.GetBytes(
        $"{{\"index\":{choice},\"delta\":{{{(_tool is null ? "\"content\":\"" : "\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"")}");

    private void WriteFrameEnd(IBufferWriter<byte> writer, GenerationGroup group, int outputTokens)
    {
        if (_fields.IncludesUsageInEveryChunk)
        {
            writer.Write(","u8);
            new Usage(_promptTokens, outputTokens, group.ToldCachedTokens).WriteTo(writer);
        }

        writer.Write("}\n\n"u8);
    }
}
