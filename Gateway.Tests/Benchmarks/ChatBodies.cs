using System.Text;
using System.Text.Json;

namespace Gateway.Tests.Benchmarks;

/// <summary>Chat bodies of about a size, as applications send them: a system message, then turns of a few hundred bytes.</summary>
internal static class ChatBodies
{
    private const string Sentence = "The invoice of the order was sent to the customer's \\\"new\\\" address, and the refund follows. ";

    public static byte[] OfSize(int bytes)
    {
        var body = new StringBuilder("""{"model":"bench","temperature":0.2,"max_tokens":256,"stream":true,"messages":[{"role":"system","content":"You answer in one line."}""");
        for (var i = 0; body.Length < bytes - 60; i++)
        {
            var role = i % 2 == 0 ? "user" : "assistant";
            var room = Math.Min(400, bytes - body.Length - 40);
            body.Append($$""",{"role":"{{role}}","content":"{{Text(room)}}"}""");
        }
        var whole = Encoding.UTF8.GetBytes(body.Append("]}").ToString());
        using var isJson = JsonDocument.Parse(whole);
        return whole;
    }

    private static string Text(int bytes) => string.Concat(Enumerable.Repeat(Sentence, Math.Max(1, bytes / Sentence.Length)));
}
