namespace Gateway.Cli.Demo;

/// <summary>What to type into another terminal while the demo serves.</summary>
internal static class CurlLines
{
    private const string Question = """{"model":"demo","messages":[{"role":"user","content":"Say hello in a few words."}],"max_tokens":40}""";
    private const string Streamed = """{"model":"demo","messages":[{"role":"user","content":"Tell me a story."}],"stream":true}""";

    /// <param name="url">Where the gateway listens.</param>
    /// <param name="replica">A replica's id.</param>
    public static IEnumerable<string> For(string url, string replica) =>
    [
        "a chat, with the gateway's own headers",
        $"  curl -i {url}/v1/chat/completions -H 'content-type: application/json' -d '{Question}'",
        "the same as a stream",
        $"  curl -N {url}/v1/chat/completions -H 'content-type: application/json' -d '{Streamed}'",
        "why a request would go where",
        $"  curl -s {url}/-/explain -H 'content-type: application/json' -d '{Question}'",
        "models, status, metrics",
        $"  curl -s {url}/v1/models",
        $"  curl -s {url}/-/status",
        $"  curl -s {url}/metrics",
        "take a replica out of service and put it back",
        $"  curl -s -X POST {url}/-/replicas/{replica}/drain",
        $"  curl -s -X POST {url}/-/replicas/{replica}/undrain",
    ];
}
