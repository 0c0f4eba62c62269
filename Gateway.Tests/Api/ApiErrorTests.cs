using Gateway.Api;
using Gateway.Requests;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Api;

/// <summary>How a problem is sent.</summary>
public sealed class ApiErrorTests
{
    // HTTP/2 has no such header: Kestrel takes it away with a line in the log, one for each such client.
    [Theory]
    [InlineData("HTTP/1.0", "close")]
    [InlineData("HTTP/1.1", "close")]
    [InlineData("HTTP/2", "")]
    [InlineData("HTTP/3", "")]
    public async Task Write_OfAProblemThatEndsTheConnection_SaysSoWhereTheProtocolHasAWordForIt(string protocol, string connection)
    {
        var http = new DefaultHttpContext();
        http.Request.Protocol = protocol;

        await ApiError.WriteAsync(http, ApiFamily.OpenAi, OutcomeMap.UnreadableBody(StatusCodes.Status400BadRequest), "q");

        Assert.Equal(400, http.Response.StatusCode);
        Assert.Equal(connection, http.Response.Headers.Connection.ToString());
    }
}
