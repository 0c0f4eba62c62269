using System.Globalization;
using Gateway.Cli.Profiles;
using Gateway.Simulation;

namespace Gateway.Tests.Cli.Profiles;

public class ProfileYamlTests
{
    private const string Small = """
        name: mine
        layers: [{ tokens: 1, ms: 5 }, { tokens: 64, ms: 6.5 }]
        layersPerTokenBeyond: 0.02
        head: 0.4
        decodePerSequence: 0.01
        decodePerContextToken: 1e-5
        prefillPerTokenPair: 1e-7
        kvBlocks: 1000
        maxSequences: 32
        maxBatchedTokens: 512
        """;

    public static TheoryData<string> Shipped => [.. EngineProfiles.Names];

    [Theory]
    [MemberData(nameof(Shipped))]
    public void Read_OfWhatWasWritten_IsTheSameProfile(string name)
    {
        var profile = EngineProfiles.Find(name)! with { Source = "a \"quoted\" \\ source: #1", ReservesFullPrompt = false };

        var read = ProfileYaml.Read(ProfileYaml.Write(profile, ["a note\nof two lines"]), "p.yaml");

        Assert.Empty(read.Problems);
        Assert.Equal(profile.Layers, read.Options!.Layers);
        Assert.Equal(profile with { Layers = [] }, read.Options with { Layers = [] }, ProfileComparer);
    }

    [Fact]
    public void Read_WithoutOptionalKeys_HasTheDefaultsOfTheProfile()
    {
        var read = ProfileYaml.Read(Small, "p.yaml").Options!;

        Assert.Equal((0.0035, 0.3, 0.3, 1.0, 0.0, 16, 32_768, true), (read.HeadPerSequence, read.DecodeFixed, read.PrefillFixed, read.MixedDecodeFactor, read.Overhead, read.BlockTokens, read.MaxModelTokens, read.ReservesFullPrompt));
        Assert.Equal(1e-7, read.PrefillPerTokenPair);
    }

    [Fact]
    public void Read_BasedOnAShippedProfile_TakesTheRestFromIt()
    {
        var read = ProfileYaml.Read("basedOn: rtx4090-llama-8b\nkvBlocks: 99\n", "dir/small.yaml").Options!;

        Assert.Equal(EngineProfiles.Rtx4090Llama8B with { Name = "small", Source = "a file of the user's, based on rtx4090-llama-8b", KvBlocks = 99 }, read);
    }

    [Theory]
    [InlineData("kvBlocks: 1000", "kvBlock: 1000", ":8:1", "Did you mean \"kvBlocks\"?")]
    [InlineData("head: 0.4", "head: fast", ":4:7", "\"fast\" is not a number")]
    [InlineData("maxSequences: 32", "maxSequences: 0", ":9:15", "Allowed: 1 to 100000")]
    [InlineData("maxSequences: 32", "maxSequences: 3.5", ":9:15", "not a whole number")]
    [InlineData("tokens: 64", "tokens: 1", ":2:42", "ascending")]
    [InlineData("ms: 6.5", "ns: 6.5", ":2:46", "unknown key")]
    [InlineData("name: mine", "basedOn: rtx4090", ":1:10", "Known: a100-80g-llama-8b")]
    [InlineData("layers: [", "layers: 3 #", ":2:9", "must be a list")]
    [InlineData("name: mine", "name: [", "", "not YAML")]
    public void Read_OfAMistake_NamesItsPlaceAndWhatIsAllowed(string right, string wrong, string place, string expected)
    {
        var read = ProfileYaml.Read(Small.Replace(right, wrong, StringComparison.Ordinal), "p.yaml");

        Assert.Null(read.Options);
        Assert.Contains(read.Problems, problem => problem.Where.ToString().StartsWith("p.yaml" + place, StringComparison.Ordinal) && problem.ToString().Contains(expected, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("- a\n- b\n")]
    public void Read_OfNoMap_IsAProblem(string text) => Assert.Single(ProfileYaml.Read(text, "p.yaml").Problems);

    [Fact]
    public void Load_OfANameOrAFile_FindsEither()
    {
        var path = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString("n", CultureInfo.InvariantCulture) + ".yaml");
        File.WriteAllText(path, Small);
        try
        {
            Assert.Equal("mine", ProfileSource.Load(path).Options?.Name);
            Assert.Equal("demo", ProfileSource.Load("demo").Options?.Name);
            Assert.Equal("demo", Assert.Single(ProfileSource.Load("dmeo").Problems).Suggestion);
            Assert.Contains("no such file", Assert.Single(ProfileSource.Load(path + ".yaml").Problems).What, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static IEqualityComparer<EngineProfile> ProfileComparer { get; } =
        EqualityComparer<EngineProfile>.Create((a, b) => a! with { Layers = b!.Layers } == b);
}
