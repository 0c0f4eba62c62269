namespace Gateway.Routing;

/// <summary>A place of a table that is searched one place after another from a key's home: what it names, and the part of the key's hash that its home follows from.</summary>
/// <remarks>With the hash beside it a search and a removal look at nothing but the table until they have found the key.</remarks>
internal struct Place
{
    private const int None = -1;

    public uint Hash;
    public int Named;

    public static Place[] NewTable(int capacity)
    {
        var places = new Place[capacity + (capacity / 2) + 1];
        Array.Fill(places, new Place { Named = None });
        return places;
    }

    public static int Home(uint hash, int places) => (int)(((ulong)hash * (uint)places) >> 32);

    public static int After(int place, int places) => place + 1 == places ? 0 : place + 1;

    /// <summary>Empties a place and shifts back what a search would no longer find behind the hole (Knuth, 6.4, algorithm R).</summary>
    public static void Vacate(Place[] places, int hole)
    {
        for (var next = After(hole, places.Length); places[next].Named != None; next = After(next, places.Length))
        {
            if (Distance(Home(places[next].Hash, places.Length), next, places.Length) >= Distance(hole, next, places.Length))
            {
                places[hole] = places[next];
                hole = next;
            }
        }
        places[hole].Named = None;
    }

    private static int Distance(int from, int to, int places) => to >= from ? to - from : to - from + places;
}
