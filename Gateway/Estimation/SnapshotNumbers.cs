namespace Gateway.Estimation;

/// <summary>Reads numbers of a snapshot and refuses what cannot be.</summary>
internal static class SnapshotNumbers
{
    /// <exception cref="InvalidDataException">Below 0 or above <paramref name="most"/>.</exception>
    public static int Count(BinaryReader reader, int most) =>
        reader.ReadInt32() is var count && count >= 0 && count <= most ? count : throw new InvalidDataException("A count out of range.");

    /// <exception cref="InvalidDataException">Not finite, or below <paramref name="least"/>.</exception>
    public static double Finite(double number, double least) =>
        double.IsFinite(number) && number >= least ? number : throw new InvalidDataException("A number out of range.");
}
