using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Gateway.Simulation.Serving.Endpoints;

/// <summary>The events of a streamed response, numbered without a gap.</summary>
internal sealed class ResponsesStream : AnswerStream
{
    private readonly ResponseJson _response;
    private readonly byte[] _deltaHead;
    private readonly byte[] _deltaMiddle;
    private int _sequence;

    public ResponsesStream(ResponseJson response)
    {
        _response = response;
        var type = response.Tool is null ? "response.output_text.delta" : "response.function_call_arguments.delta";
        _deltaHead = Encoding.UTF8.GetBytes($"event: {type}\ndata: {{\"type\":\"{type}\",\"sequence_number\":");
        _deltaMiddle = Encoding.UTF8.GetBytes($",\"item_id\":\"{response.ItemId}\",\"output_index\":0,{(response.Tool is null ? "\"content_index\":0,\"logprobs\":[]," : string.Empty)}\"delta\":\"");
    }

    public override void WriteStart(IBufferWriter<byte> writer, GenerationGroup group)
    {
        Write(writer, "response.created", json => Property(json, "response", _response.WriteInProgress));
        Write(writer, "response.in_progress", json => Property(json, "response", _response.WriteInProgress));
        Write(writer, "response.output_item.added", json => Item(json, isFinal: false));
        if (_response.Tool is null)
        {
            Write(writer, "response.content_part.added", json => Part(json, string.Empty));
        }
    }

    public override void WriteToken(IBufferWriter<byte> writer, GenerationGroup group, int choice, int token)
    {
        var piece = group.Generations[choice].Pieces[token];
        if (piece.Length == 0)
        {
            return;
        }

        writer.Write(_deltaHead);
        Usage.WriteNumber(writer, _sequence++);
        writer.Write(_deltaMiddle);
        writer.Write(ComposedAnswer.Escaped(piece));
        writer.Write("\"}\n\n"u8);
    }

    public override void WriteFinish(IBufferWriter<byte> writer, GenerationGroup group, int choice)
    {
        if (_response.Tool is null)
        {
            Write(writer, "response.output_text.done", json =>
            {
                Place(json);
                json.WriteNumber("content_index", 0);
                json.WriteString("text", _response.Text);
            });
            Write(writer, "response.content_part.done", json => Part(json, _response.Text));
        }
        else
        {
            Write(writer, "response.function_call_arguments.done", json =>
            {
                Place(json);
                json.WriteString("name", _response.Tool);
                json.WriteString("arguments", _response.Text);
            });
        }

        Write(writer, "response.output_item.done", json => Item(json, isFinal: true));
    }

    public override void WriteEnd(IBufferWriter<byte> writer, GenerationGroup group, bool omitsDone) =>
        Write(writer, _response.IsCut ? "response.incomplete" : "response.completed", json => Property(json, "response", _response.WriteFinal));

    private static void Property(Utf8JsonWriter json, string name, Action<Utf8JsonWriter> write)
    {
        json.WritePropertyName(name);
        write(json);
    }

    private void Place(Utf8JsonWriter json)
    {
        json.WriteString("item_id", _response.ItemId);
        json.WriteNumber("output_index", 0);
    }

    private void Item(Utf8JsonWriter json, bool isFinal)
    {
        json.WriteNumber("output_index", 0);
        Property(json, "item", item => _response.WriteItem(item, isFinal));
    }

    private void Part(Utf8JsonWriter json, string text)
    {
        Place(json);
        json.WriteNumber("content_index", 0);
        Property(json, "part", part => ResponseJson.WritePart(part, text));
    }

    private void Write(IBufferWriter<byte> writer, string type, Action<Utf8JsonWriter> write)
    {
        writer.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"event: {type}\ndata: ")));
        writer.Write(JsonBytes.Of(json =>
        {
            json.WriteStartObject();
            json.WriteString("type", type);
            json.WriteNumber("sequence_number", _sequence++);
            write(json);
            json.WriteEndObject();
        }));
        writer.Write("\n\n"u8);
    }
}
