using System.Net;
using Gateway.Replicas;
using Gateway.Replicas.Engines.Discovery;

namespace Gateway.Tests.Replicas.Engines.Discovery;

public sealed class ReplicaPlacesTests
{
    [Fact]
    public void Of_UrlsAndNames_MixesThemInTheOrderOfTheConfiguration()
    {
        var model = Model(new() { Url = new("http://10.0.0.9:8000") }, new() { Dns = new("http://engines:8000/api") }, new() { Url = new("http://last:1"), Id = "z" });

        var places = ReplicaPlaces.Of(model, _ => [IPAddress.Parse("10.0.0.1"), IPAddress.Parse("fd00::2")]);

        Assert.Equal(["10.0.0.9:8000", "10.0.0.1:8000", "[fd00::2]:8000", "z"], places.Select(place => place.Id));
        Assert.Equal(
            ["http://10.0.0.9:8000/", "http://10.0.0.1:8000/api", "http://[fd00::2]:8000/api", "http://last:1/"],
            places.Select(place => place.Address.AbsoluteUri));
    }

    [Fact]
    public void Of_ANameWithAnId_PutsTheIdInFrontOfEachAddress()
    {
        var model = Model(new ReplicaOptions { Dns = new("http://engines:8000"), Id = "east" });

        var places = ReplicaPlaces.Of(model, _ => [IPAddress.Parse("10.0.0.1")]);

        Assert.Equal("east-10.0.0.1:8000", Assert.Single(places).Id);
    }

    [Fact]
    public void Of_ANameBehindHttps_StaysOneReplicaUnderItsName()
    {
        var model = Model(new ReplicaOptions { Dns = new("https://engines:8443") });

        var places = ReplicaPlaces.Of(model, _ => [IPAddress.Parse("10.0.0.1"), IPAddress.Parse("10.0.0.2")]);

        Assert.Equal("https://engines:8443/", Assert.Single(places).Address.AbsoluteUri);
    }

    [Fact]
    public void Of_TheSameEngineTwice_NamesItOnce()
    {
        var model = Model(new() { Url = new("http://10.0.0.1:8000"), Weight = 3 }, new() { Dns = new("http://engines:8000") });

        var places = ReplicaPlaces.Of(model, _ => [IPAddress.Parse("10.0.0.1")]);

        Assert.Equal(3, Assert.Single(places).Options.Weight);
    }

    [Theory]
    [InlineData("http://a:1/v1", "http://a:1/")]
    [InlineData("http://a:1/v1/", "http://a:1/")]
    [InlineData("http://a:1/api/v1", "http://a:1/api")]
    [InlineData("http://a:1/v1/api", "http://a:1/v1/api")]
    [InlineData("http://a:1/llmv1", "http://a:1/llmv1")]
    public void Of_AnAddressAsOpenAisClientsWriteIt_LeavesTheVersionOut(string url, string address)
    {
        Assert.Equal(address, ReplicaPlaces.Of(Model(new ReplicaOptions { Url = new(url) })).Single().Address.AbsoluteUri);
        Assert.Equal(address.Replace("http", "https", StringComparison.Ordinal), ReplicaPlaces.Of(Model(new ReplicaOptions { Dns = new(url.Replace("http", "https", StringComparison.Ordinal)) })).Single().Address.AbsoluteUri);
    }

    [Fact]
    public void Of_WithoutAddresses_GivesTheStaticPlaces()
    {
        var model = Model(new() { Url = new("http://a:1") }, new() { Dns = new("http://engines:8000") });

        Assert.Equal(["a:1"], ReplicaPlaces.Of(model).Select(place => place.Id));
    }

    private static ModelOptions Model(params ReplicaOptions[] replicas) => new() { Name = "m", Replicas = replicas };
}
