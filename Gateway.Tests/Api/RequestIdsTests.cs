using Gateway.Api;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Api;

public sealed class RequestIdsTests
{
    [Theory]
    [InlineData("mine")]
    [InlineData(null)]
    public async Task Of_OneRequest_IsTheSameForItsWorkAndItsAnswer(string? sent)
    {
        var http = new DefaultHttpContext();
        http.Request.Headers["x-request-id"] = sent;

        var id = RequestIds.Of(http);
        await JsonAnswer.WriteAsync(http, json => json.WriteNullValue());

        Assert.Equal(id, http.Response.Headers["x-request-id"]);
        Assert.Equal(sent ?? id, id);
    }
}
