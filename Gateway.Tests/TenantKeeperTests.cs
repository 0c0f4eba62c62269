using Gateway.Access;
using Gateway.Configuration;
using Gateway.Requests;
using Gateway.Tests.Fakes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests;

public sealed class TenantKeeperTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();
    private readonly ManualTime _time = new();
    private readonly CapturedLogs _logs = new();
    private readonly TenantKeeper _keeper;

    public TenantKeeperTests()
    {
        Write("a", "one");
        _keeper = new TenantKeeper(OptionsWith("a", "b"), _ => null, new PrefixHasher(1), _time, _logs.CreateLogger(""));
    }

    public void Dispose()
    {
        _keeper.Dispose();
        File.Delete(_file);
    }

    [Fact]
    public void KeysFile_ThatChanges_IsInForceOnceItStandsStill()
    {
        Assert.Equal("a", Whose("one"));

        Write("b", "two");
        _time.Advance(ConfigurationWatcher.Interval * 2);

        Assert.Equal((null, "b"), (Whose("one"), Whose("two")));
    }

    [Fact]
    public void KeysFile_ThatIsFaulty_ChangesNoKeyAndIsLoggedWithoutItsText()
    {
        File.WriteAllText(_file, "a planted-key");
        _time.Advance(ConfigurationWatcher.Interval * 2);

        Assert.Equal("a", Whose("one"));
        var line = Assert.Single(_logs.Lines, line => line.Level == LogLevel.Error);
        Assert.Contains(":1:1", line.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("planted-key", line.Text, StringComparison.Ordinal);

        Write("a", "three");
        _time.Advance(ConfigurationWatcher.Interval * 2);
        Assert.Equal("a", Whose("three"));
    }

    [Fact]
    public void Apply_OfOptionsWithoutATenant_ShutsItsKeysOut()
    {
        Write("b", "two");
        _keeper.Apply(OptionsWith("b"));

        Assert.Equal((null, "b"), (Whose("one"), Whose("two")));
        _keeper.Apply(new GatewayOptions());
        Assert.Null(_keeper.Door.Directory);
    }

    private string? Whose(string key) => _keeper.Door.Identify(new HeaderDictionary { ["api-key"] = key }, out _)?.Tenant?.Name;

    private void Write(string tenant, string key) => File.WriteAllText(
        _file, $"{tenant} {KeyDigest.Prefix}{Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(key)))}");

    private GatewayOptions OptionsWith(params string[] tenants) =>
        new() { Access = new AccessOptions { KeysFile = _file, Tenants = [.. tenants.Select(name => new TenantOptions { Name = name })] } };
}
