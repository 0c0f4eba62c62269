using System.Buffers;
using System.Text;

namespace Gateway.Simulation.Serving.Endpoints;

/// <summary>The frames of a streamed text completion, from byte templates made once per request.</summary>
internal sealed class CompletionStream : AnswerStream
{
    private readonly SamplingFields _fields;
    private readonly int _promptTokens;
    private readonly string[] _echoes;
    private readonly byte[] _head;
    private readonly byte[][] _choiceHeads;
    private readonly int[] _offsets;

    public CompletionStream(EngineCall call, GenerationGroup group, SamplingFields fields, int promptTokens, string[] echoes)
    {
        _fields = fields;
        _promptTokens = promptTokens;
        _echoes = echoes;
        _head = Encoding.UTF8.GetBytes(
            $"data: {{\"id\":\"{call.NewId("cmpl-")}\",\"object\":\"text_completion\",\"created\":{call.Created},\"model\":{JsonBytes.Text(call.Model)},\"choices\":[");
        _offsets = [.. Enumerable.Range(0, group.Generations.Count).Select(choice => echoes.Length > 0 ? echoes[choice].Length : 0)];
        _choiceHeads = [.. Enumerable.Range(0, group.Generations.Count).Select(choice => (byte[])[.. _head, .. Encoding.UTF8.GetBytes($"{{\"index\":{choice},\"text\":")])];
    }

    public override void WriteStart(IBufferWriter<byte> writer, GenerationGroup group)
    {
        for (var choice = 0; choice < _echoes.Length; choice++)
        {
            writer.Write(_choiceHeads[choice]);
            writer.Write(Encoding.UTF8.GetBytes(JsonBytes.Text(_echoes[choice])));
            WriteChoiceEnd(writer, group, "null"u8, "null"u8, null, 0);
        }
    }

    public override void WriteToken(IBufferWriter<byte> writer, GenerationGroup group, int choice, int token)
    {
        var piece = group.Generations[choice].Pieces[token];
        if (piece.Length == 0)
        {
            return;
        }

        writer.Write(_choiceHeads[choice]);
        writer.Write("\""u8);
        writer.Write(piece);
        writer.Write("\""u8);
        WriteChoiceEnd(writer, group, LogprobsOf(piece, choice), "null"u8, null, token + 1);
    }

    public override void WriteFinish(IBufferWriter<byte> writer, GenerationGroup group, int choice)
    {
        var generation = group.Generations[choice];
        writer.Write(_choiceHeads[choice]);
        writer.Write("\"\""u8);
        WriteChoiceEnd(writer, group, "null"u8, generation.FinishReason == "length" ? "\"length\""u8 : "\"stop\""u8, generation.StoppedBy, generation.Pieces.Length);
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

    private ReadOnlySpan<byte> LogprobsOf(byte[] piece, int choice)
    {
        if (_fields.Logprobs is not { } top)
        {
            return "null"u8;
        }

        var offset = _offsets[choice];
        _offsets[choice] += piece.Length;
        return JsonBytes.Of(json => TokenLogprobs.WriteCompletion(json, [piece], top, offset));
    }

    private void WriteChoiceEnd(IBufferWriter<byte> writer, GenerationGroup group, ReadOnlySpan<byte> logprobs, ReadOnlySpan<byte> finishReason, string? stoppedBy, int outputTokens)
    {
        writer.Write(",\"logprobs\":"u8);
        writer.Write(logprobs);
        writer.Write(",\"finish_reason\":"u8);
        writer.Write(finishReason);
        writer.Write(stoppedBy is null ? ",\"stop_reason\":null}]"u8 : Encoding.UTF8.GetBytes($",\"stop_reason\":{JsonBytes.Text(stoppedBy)}}}]"));
        if (_fields.IncludesUsageInEveryChunk)
        {
            writer.Write(","u8);
            new Usage(_promptTokens, outputTokens, group.ToldCachedTokens).WriteTo(writer);
        }

        writer.Write("}\n\n"u8);
    }
}
