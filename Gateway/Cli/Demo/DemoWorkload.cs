using System.Globalization;

namespace Gateway.Cli.Demo;

/// <summary>The demo's traffic: four tenants that use a model in four ways. A pure function of the seed.</summary>
internal static class DemoWorkload
{
    /// <summary>Conversations under way at the same time.</summary>
    public const int Concurrency = 12;

    private static readonly string[] Words =
    [
        "order", "invoice", "refund", "delivery", "account", "contract", "meeting", "budget", "report", "customer", "warehouse", "ticket",
        "release", "deadline", "device", "battery", "garden", "harbour", "museum", "railway", "weather", "recipe", "novel", "planet",
    ];

    /// <summary>The conversations in the order in which they begin.</summary>
    public static IReadOnlyList<DemoConversation> Create(int seed)
    {
        var chance = new Random(seed);
        List<DemoConversation> all =
        [
            .. Many(10, "acme", "interactive", Text(chance, 500), _ => Chat(chance, turns: 4)),
            .. Many(10, "globex", "default", Text(chance, 800), _ => Chat(chance, turns: 3)),
            .. Many(30, "initech", "batch", Text(chance, 200), _ => [Summary(chance)]),
            .. Many(20, "hooli", "default", Text(chance, 60), _ => [Essay(chance)]),
        ];
        chance.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(all));
        return all;
    }

    /// <summary>How many requests the conversations make.</summary>
    public static int Requests(IReadOnlyList<DemoConversation> conversations) => conversations.Sum(conversation => conversation.Turns.Count);

    private static IEnumerable<DemoConversation> Many(int count, string tenant, string priority, string system, Func<int, IReadOnlyList<DemoTurn>> turns) =>
        Enumerable.Range(0, count).Select(i => new DemoConversation(
            string.Create(CultureInfo.InvariantCulture, $"{tenant}-{i}"), tenant, priority, system, turns(i)));

    // As long as the simulated engine's own taste wants them: median 96 tokens, with a long tail.
    private static DemoTurn[] Chat(Random chance, int turns) =>
        [.. Enumerable.Range(0, turns).Select(_ => new DemoTurn("Please explain: " + Text(chance, chance.Next(8, 60)), MaxTokens: 400, IsStreamed: true))];

    private static DemoTurn Summary(Random chance) =>
        new("Summarise in a line: " + Text(chance, chance.Next(300, 1_200)), MaxTokens: 24, IsStreamed: false);

    private static DemoTurn Essay(Random chance) => new(
        string.Create(CultureInfo.InvariantCulture, $"Write about {Text(chance, 6)}: answer with {chance.Next(150, 500)} tokens."),
        MaxTokens: null, IsStreamed: chance.Next(2) == 0);

    private static string Text(Random chance, int words) =>
        string.Join(' ', Enumerable.Range(0, words).Select(_ => Words[chance.Next(Words.Length)]));
}
