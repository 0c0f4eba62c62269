using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Fakes;

/// <summary>A span as it came over OTLP. Attributes as text; times in nanoseconds since 1970.</summary>
internal sealed record ReceivedSpan(string TraceId, string Id, string ParentId, string TraceState, string Name, int Kind, ulong Start, ulong End, bool IsError)
{
    public required IReadOnlyDictionary<string, string> Attributes { get; init; }

    public required IReadOnlyDictionary<string, string> Resource { get; init; }
}

/// <summary>Takes what is exported by OTLP over HTTP in protobuf, and reads the spans of it by the wire format.</summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;

    private OtlpReceiver(WebApplication app)
    {
        _app = app;
        app.Run(TakeAsync);
    }

    public string Url => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    public ConcurrentQueue<ReceivedSpan> Spans { get; } = new();

    /// <summary>Every body with its path, for words that must not be in it.</summary>
    public ConcurrentQueue<(string Path, byte[] Body)> Bodies { get; } = new();

    public static async Task<OtlpReceiver> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var receiver = new OtlpReceiver(builder.Build());
        await receiver._app.StartAsync();
        return receiver;
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task TakeAsync(HttpContext http)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        Bodies.Enqueue((http.Request.Path, body.ToArray()));
        if (http.Request.Path == "/v1/traces")
        {
            foreach (var group in Fields(body.ToArray()).Where(field => field.Number == 1))
            {
                TakeGroup(group.Bytes);
            }
        }
    }

    private void TakeGroup(ReadOnlyMemory<byte> group)
    {
        var resource = new Dictionary<string, string>();
        foreach (var field in Fields(group).Where(field => field.Number == 1))
        {
            resource = Attributes(Fields(field.Bytes).Where(inner => inner.Number == 1));
        }
        foreach (var span in Fields(group).Where(field => field.Number == 2).SelectMany(scope => Fields(scope.Bytes)).Where(field => field.Number == 2))
        {
            Spans.Enqueue(SpanOf([.. Fields(span.Bytes)], resource));
        }
    }

    private static ReceivedSpan SpanOf(List<Field> fields, Dictionary<string, string> resource)
    {
        var status = fields.Where(field => field.Number == 15).SelectMany(field => Fields(field.Bytes));
        return new(
            Hex(1), Hex(2), Hex(4), Encoding.UTF8.GetString(Of(3).Bytes.Span), Encoding.UTF8.GetString(Of(5).Bytes.Span),
            (int)Of(6).Value, Of(7).Value, Of(8).Value, status.Any(field => field is { Number: 3, Value: 2 }))
        {
            Attributes = Attributes(fields.Where(field => field.Number == 9)),
            Resource = resource,
        };

        Field Of(int number) => fields.FirstOrDefault(field => field.Number == number);
        string Hex(int number) => Convert.ToHexStringLower(Of(number).Bytes.Span);
    }

    private static Dictionary<string, string> Attributes(IEnumerable<Field> fields) => fields.ToDictionary(
        field => Encoding.UTF8.GetString(Fields(field.Bytes).First(inner => inner.Number == 1).Bytes.Span),
        field => ValueOf(Fields(Fields(field.Bytes).First(inner => inner.Number == 2).Bytes).First()));

    private static string ValueOf(Field value) => value.Number switch
    {
        1 => Encoding.UTF8.GetString(value.Bytes.Span),
        2 => value.Value == 1 ? "true" : "false",
        3 => value.Value.ToString(CultureInfo.InvariantCulture),
        4 => BitConverter.UInt64BitsToDouble(value.Value).ToString(CultureInfo.InvariantCulture),
        _ => "?",
    };

    private readonly record struct Field(int Number, ulong Value, ReadOnlyMemory<byte> Bytes);

    private static IEnumerable<Field> Fields(ReadOnlyMemory<byte> message)
    {
        var at = 0;
        while (at < message.Length)
        {
            var tag = VarInt(message.Span, ref at);
            var number = (int)(tag >> 3);
            switch (tag & 7)
            {
                case 0:
                    yield return new(number, VarInt(message.Span, ref at), default);
                    break;
                case 1:
                    yield return new(number, BinaryPrimitives.ReadUInt64LittleEndian(message.Span[at..]), default);
                    at += 8;
                    break;
                case 2:
                    var length = (int)VarInt(message.Span, ref at);
                    yield return new(number, 0, message.Slice(at, length));
                    at += length;
                    break;
                case 5:
                    yield return new(number, BinaryPrimitives.ReadUInt32LittleEndian(message.Span[at..]), default);
                    at += 4;
                    break;
                default:
                    throw new InvalidDataException($"wire type {tag & 7}");
            }
        }
    }

    private static ulong VarInt(ReadOnlySpan<byte> message, ref int at)
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var part = message[at++];
            value |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
            {
                return value;
            }
        }
    }
}
