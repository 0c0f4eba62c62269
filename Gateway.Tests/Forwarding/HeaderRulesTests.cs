using Gateway.Forwarding;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Forwarding;

public sealed class HeaderRulesTests
{
    [Fact]
    public void CopyUpstream_OfAClientsHeaders_KeepsOnlyWhatAnEngineMaySee()
    {
        var copied = Copy(
            new HeaderDictionary
            {
                ["Authorization"] = "Bearer mine",
                ["x-invented-tomorrow"] = "yes",
                ["traceparent"] = "00-1-2-03",
                ["Connection"] = "keep-alive, X-Private",
                ["x-private"] = "hop",
                ["Cookie"] = "a=b",
                ["X-Gateway-Priority"] = "batch",
                ["x-request-id"] = "theirs",
                ["Accept-Encoding"] = "gzip",
            },
            apiKey: null);

        Assert.Equal(["authorization: Bearer mine", "traceparent: 00-1-2-03", "x-invented-tomorrow: yes", "x-request-id: q"], copied);
    }

    [Theory]
    [InlineData("Authorization")]
    [InlineData("x-api-key")]
    [InlineData("api-key")]
    public void CopyUpstream_WithThePoolsKey_SendsNoOther(string header)
    {
        var copied = Copy(new HeaderDictionary { [header] = "theirs" }, apiKey: "pool");

        Assert.Equal(["authorization: Bearer pool", "x-request-id: q"], copied);
    }

    private static List<string> Copy(HeaderDictionary from, string? apiKey)
    {
        using var message = new HttpRequestMessage();
        HeaderRules.CopyUpstream(from, message.Headers, "q", apiKey);
        return [.. message.Headers.NonValidated.Select(header => $"{header.Key.ToLowerInvariant()}: {header.Value}").Order(StringComparer.Ordinal)];
    }
}
