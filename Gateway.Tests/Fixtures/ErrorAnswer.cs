using System.Text.Json;

namespace Gateway.Tests.Fixtures;

/// <summary>What every error answer must have.</summary>
internal static class ErrorAnswer
{
    /// <summary>Checks status, headers and the shape of the API, and returns the message.</summary>
    public static async Task<string> AssertAsync(HttpResponseMessage response, int status, string code, bool isAnthropic = false)
    {
        var body = await response.Content.ReadAsStringAsync();
        Assert.True(status == (int)response.StatusCode, $"Expected {status} {code}, got {(int)response.StatusCode}: {body}");
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        var requestId = response.Headers.GetValues("x-request-id").Single();
        Assert.NotEmpty(requestId);
        Assert.Equal(code, response.Headers.GetValues("x-gateway-reason").Single());
        using var json = JsonDocument.Parse(body);
        var error = json.RootElement.GetProperty("error");
        if (isAnthropic)
        {
            Assert.Equal("error", json.RootElement.GetProperty("type").GetString());
            Assert.Equal(requestId, json.RootElement.GetProperty("request_id").GetString());
        }
        else
        {
            Assert.Equal(code, error.GetProperty("code").GetString());
            Assert.True(error.GetProperty("param").ValueKind is JsonValueKind.String or JsonValueKind.Null, body);
        }
        Assert.NotEmpty(error.GetProperty("type").GetString()!);
        var message = error.GetProperty("message").GetString()!;
        Assert.NotEmpty(message);
        return message;
    }
}
